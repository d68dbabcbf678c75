"""The style of the overview, light and dark, from a phone's width up. Pure.

CloudWatch says which theme its viewer has; it draws the background itself.
"""

STYLE = """<style>
.ma-root { --text: #16191f; --soft: #5f6b7a; --line: #d5dbdb; --card: #fff; --good: #1d8102; --way: #0972d3; --bad:
  #d13212;
  --warn: #b7740a; --off: #9ba7b6; --focus: #0972d3; color: var(--text); font: 14px/1.45 "Amazon Ember", "Helvetica
  Neue",
  "Open Sans", Roboto, Arial, sans-serif; max-width: 1200px; margin: 0 auto; overflow-wrap: anywhere }
.ma-root.ma-dark { --text: #e9ebed; --soft: #a4b0be; --line: #414d5c; --card: #16202c; --good: #6bb34a; --way: #539fe5;
  --bad: #ff7a5c; --warn: #e0a43a; --off: #687587; --focus: #539fe5 }
.ma-root * { box-sizing: border-box }
.ma-root h3, .ma-root h4, .ma-root p, .ma-root ol, .ma-root ul { margin: 0; padding: 0 }
.ma-root h3 { font-size: 16px; margin: 18px 0 8px } .ma-root h4 { font-size: 15px }
.ma-root > h4 { margin-top: 16px }
.ma-root a.ma-link { color: var(--way) }
.ma-root cwdb-action { display: none }
.ma-root code { font-size: 12px }
.ma-tiles { display: flex; flex-wrap: wrap; gap: 10px }
.ma-tile { flex: 1 1 130px; background: var(--card); border: 1px solid var(--line); border-top: 3px solid var(--off);
  border-radius: 8px; padding: 8px 14px 10px }
.ma-tile b { display: block; font-size: 28px; line-height: 1.2; font-weight: 700 } .ma-tile span { color: var(--soft) }
.ma-tile-complete { border-top-color: var(--good) } .ma-tile-on_its_way { border-top-color: var(--way) }
.ma-tile-wrong { border-top-color: var(--bad) } .ma-tile-wrong b { color: var(--bad) }
.ma-root .ma-facts { color: var(--soft); margin: 10px 2px; font-size: 13px } .ma-bad { color: var(--bad) }
.ma-hours { display: flex; align-items: flex-end; gap: 3px; height: 92px; border-bottom: 1px solid var(--line);
  margin-bottom: 18px }
.ma-hour { flex: 1 1 0; min-width: 0; height: 100%; display: flex; flex-direction: column; position: relative }
.ma-hour span { flex: 1; display: flex; flex-direction: column-reverse; overflow: hidden; min-height: 0 }
.ma-hour i { display: block; width: 100% } .ma-hour i + i { border-bottom: 1px solid var(--card) }
.ma-hour b { position: absolute; top: 100%; left: 0; font-size: 11px; line-height: 1.6; white-space: nowrap; color:
  var(--soft) }
.ma-hour.ma-now { background: rgba(128, 140, 160, .18); border-radius: 3px 3px 0 0 } .ma-hour.ma-now b { color:
  var(--text) }
i.ma-complete { background: var(--good) } i.ma-on_its_way { background: var(--way) } i.ma-wrong { background:
  var(--bad) }
i.ma-cancelled { background: var(--off) }
.ma-legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 13px; color: var(--soft) }
.ma-key i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px }
.ma-form { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 12px 0 0 }
.ma-field { flex: 1 1 180px; min-width: 0; max-width: 420px; height: 34px; padding: 4px 10px; font: inherit; color:
  var(--text);
  background: var(--card); border: 1px solid var(--off); border-radius: 8px }
.ma-field::placeholder { color: var(--soft); opacity: 1 }
.ma-field:focus, .ma-button:focus-visible, .ma-details summary:focus-visible { outline: 2px solid var(--focus);
  outline-offset: 1px }
.ma-button { display: inline-block; cursor: pointer; user-select: none; text-decoration: none; font: inherit;
  font-weight: 700;
  line-height: 20px; padding: 6px 16px; border-radius: 17px; border: 2px solid var(--way); color: var(--way);
  background: var(--card);
  white-space: nowrap }
.ma-button:hover { filter: brightness(.93) } .ma-dark .ma-button:hover { filter: brightness(1.15) }
.ma-primary { background: var(--way); color: #fff } .ma-dark .ma-primary { color: #0b121b }
.ma-card { background: var(--card); border: 1px solid var(--line); border-left: 5px solid var(--warn); border-radius:
  8px;
  padding: 12px 16px; margin: 0 0 10px } .ma-card.ma-critical { border-left-color: var(--bad) }
.ma-card h4 { display: flex; flex-wrap: wrap; gap: 2px 12px; justify-content: space-between; align-items: baseline }
.ma-left { font-size: 13px; font-weight: 700; color: var(--soft); white-space: nowrap }
.ma-critical .ma-left, .ma-critical .ma-what b { color: var(--bad) } .ma-warning .ma-what b { color: var(--warn) }
.ma-card ol { padding-left: 20px; margin: 6px 0 } .ma-card ul { padding-left: 20px }
.ma-root .ma-why, .ma-root .ma-next { margin: 2px 0 }
.ma-meta, .ma-at, .ma-verdict { color: var(--soft); font-size: 13px }
.ma-done { border: 1px solid var(--good); color: var(--good); border-radius: 10px; padding: 0 8px; font-size: 12px;
  white-space: nowrap }
.ma-details { margin-top: 10px } .ma-details summary { cursor: pointer; color: var(--soft); font-weight: 700; padding:
  2px 0 }
.ma-root .ma-timeline { list-style: none; padding: 6px 0 0; border-top: 1px solid var(--line); margin-top: 6px }
.ma-timeline li { display: flex; flex-wrap: wrap; gap: 0 12px; padding: 3px 0; border-bottom: 1px solid var(--line) }
.ma-timeline li > span:last-child { flex: 1 1 240px } .ma-at { flex: 0 0 160px } .ma-verdict { margin-left: 8px }
.ma-row { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: center; padding: 7px 0; border-bottom: 1px solid
  var(--line) }
.ma-row b { flex: 1 1 200px } .ma-row .ma-at { flex: 0 0 130px } .ma-row .ma-key { flex: 1 1 170px }
.ma-row .ma-left { flex: 0 1 190px; font-weight: 400 } .ma-row .ma-button { padding: 2px 12px; font-size: 13px }
.ma-answer h3 { margin: 0 0 8px } .ma-answer.ma-refused h3 { color: var(--bad) }
.ma-answer.ma-good h3 { color: var(--good) }
.ma-root .ma-nothing { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 18px;
  margin: 16px 0 }
.ma-good b { color: var(--good) }
.ma-root .ma-paging { display: flex; gap: 14px; align-items: center; justify-content: center; margin: 14px 0 }
</style>"""
