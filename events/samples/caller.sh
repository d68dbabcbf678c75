#!/bin/sh
# A caller in curl: requests an agent, follows it to its end, and fetches the transcript. Needs curl 7.82 or newer.
#
#     API_URL=… CALENDAR_ID=… CRONOFY_ACCESS_TOKEN=… AWS_REGION=… sh caller.sh
#
# The access token is that of the calendar's user. The role behind AWS_ACCESS_KEY_ID needs `execute-api:Invoke`.
set -eu
HEADERS=$(mktemp) BODY=$(mktemp)
trap 'rm -f "$HEADERS" "$BODY"' EXIT

signed() {
  curl --silent --show-error --fail-with-body --aws-sigv4 "aws:amz:$AWS_REGION:execute-api" \
    --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
    ${AWS_SESSION_TOKEN:+--header "x-amz-security-token: $AWS_SESSION_TOKEN"} "$@"
}
first() { tr ',{' '\n\n' | sed -n "s/^ *\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1; } # `jq -r .$1`, without jq

DAY=$(date -u -d tomorrow +%Y-%m-%d 2>/dev/null || date -u -v+1d +%Y-%m-%d)
signed --dump-header "$HEADERS" --output "$BODY" --json "{
  \"event_id\": \"${EVENT_ID:-curl-$$}\", \"summary\": \"Board meeting\",
  \"start\": \"${DAY}T15:30:00Z\", \"end\": \"${DAY}T16:00:00Z\",
  \"conferencing\": {\"profile_id\": \"default\"}, \"meeting_agent\": {\"profile_id\": \"cronofy\"}
}" --header "Cronofy-Authorization: Bearer $CRONOFY_ACCESS_TOKEN" "$API_URL/v1/calendars/$CALENDAR_ID/events" ||
  { cat "$BODY"; exit 1; }
AGENT_URL=$(tr -d '\r' < "$HEADERS" | sed -n 's/^[Ll]ocation: //p')
echo "requested: $AGENT_URL"

while STATE=$(signed "$AGENT_URL" | first state); test -n "$STATE"; do
  case $STATE in complete | failed | rejected | cancelled) break ;; esac
  echo "state: $STATE"
  sleep "${PAUSE:-60}"
done
echo "end: ${STATE:?the agent could not be read}"

if [ "$STATE" = complete ]; then
  ADDRESS=$(signed "$AGENT_URL/resources/transcript?format=json" | first url)
  echo "transcript: $(curl --silent --fail "$ADDRESS" | wc -c) bytes" # without any credentials of ours
else
  signed --output /dev/null --json '{"note": "I ask the organiser"}' "$AGENT_URL/acknowledgement"
  echo "acknowledged"
fi
