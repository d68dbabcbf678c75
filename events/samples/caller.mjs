// A caller in Node: requests an agent, follows it to its end, and fetches the transcript.
//
//     npm install aws4fetch
//     API_URL=… CALENDAR_ID=… CRONOFY_ACCESS_TOKEN=… AWS_REGION=… node caller.mjs
//
// The access token is that of the calendar's user, as Cronofy's own SDK gets it. The role behind AWS_ACCESS_KEY_ID
// needs `execute-api:Invoke`.
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { AwsClient } from "aws4fetch";

const { API_URL, CALENDAR_ID, CRONOFY_ACCESS_TOKEN, AWS_REGION, EVENT_ID = randomUUID(), PAUSE = "60" } = process.env;
const aws = new AwsClient({
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
  sessionToken: process.env.AWS_SESSION_TOKEN,
  service: "execute-api",
  region: AWS_REGION,
});
const ENDS = ["complete", "failed", "rejected", "cancelled"];
const time = (minutes) => new Date(Date.now() + minutes * 60_000).toISOString().replace(/\.\d+/, "");

async function call(url, options = {}) {
  const response = await aws.fetch(url, options);
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return response;
}

const requested = await call(`${API_URL}/v1/calendars/${CALENDAR_ID}/events`, {
  method: "POST",
  headers: { "Content-Type": "application/json", "Cronofy-Authorization": `Bearer ${CRONOFY_ACCESS_TOKEN}` },
  body: JSON.stringify({
    event_id: EVENT_ID,
    summary: "Board meeting",
    start: time(60),
    end: time(90),
    conferencing: { profile_id: "default" },
    meeting_agent: { profile_id: "cronofy" },
  }),
});
const agentUrl = requested.headers.get("Location");
console.log("requested:", agentUrl);

let agent = await (await call(agentUrl)).json();
while (!ENDS.includes(agent.state)) {
  console.log("state:", agent.state);
  await pause(Number(PAUSE) * 1000);
  agent = await (await call(agentUrl)).json();
}
console.log("end:", agent.state, agent.reason.text);

if (agent.incidents.length) {
  await call(`${agentUrl}/acknowledgement`, { method: "POST", body: JSON.stringify({ note: "I ask the organiser" }) });
  console.log("acknowledged");
} else if (agent.state === "complete") {
  const { url } = await (await call(`${agentUrl}/resources/transcript?format=json`)).json();
  const transcript = await (await fetch(url)).arrayBuffer(); // without any credentials of ours
  console.log("transcript:", transcript.byteLength, "bytes");
}
