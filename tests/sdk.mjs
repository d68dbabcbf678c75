// Cronofy's official Node SDK as its users call it. It knows only Cronofy's hosts, so its base address is replaced.
import { createRequire } from "node:module";

const [url, sdk, accessToken, calendar, steps] = process.argv.slice(2);
const Cronofy = createRequire(import.meta.url)(sdk);
const client = new Cronofy({ access_token: accessToken });
client.urls.api = url;

const told = [];
for (const [method, body] of JSON.parse(steps)) {
  try {
    await client[method]({ ...body, calendar_id: calendar });
    told.push("done");
  } catch (error) {
    told.push({ status: error.statusCode ?? error.status ?? error.error?.statusCode, error: error.error });
  }
}
console.log(JSON.stringify(told));
