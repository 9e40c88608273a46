// Asks /status every 2 s while the page is seen, and says first what is wrong and what to do.
// Whatever a server, a topic or a setting is called gets in as text (texts.js), never as markup.
import { append, layOut, replace, sayLimit } from "./charts.js";
import { countDown, fillTables, watchButtons } from "./tables.js";
import { agoText, clockText, make, setText } from "./texts.js";

const EVERY_MS = 2000;
const AGAIN_MS = 1000;       // after a poll that failed: one alone may have found no free connection
const HISTORY_MS = 60000;
const ANSWER_MS_MAX = 5000;

const SIGNS = {
  ready: "M24 4a20 20 0 1 0 0 40 20 20 0 0 0 0-40Zm-3.5 29.5-9-9 3.4-3.4 5.6 5.6 12.6-12.6 3.4 3.4Z",
  degraded: "M24 4 46 43H2ZM21.6 18v13h4.8V18Zm0 16v4.6h4.8V34Z",
  stopped: "M15.7 4h16.6L44 15.7v16.6L32.3 44H15.7L4 32.3V15.7ZM12 21v6h24v-6Z",
  busy: "M24 4a20 20 0 1 0 0 40 20 20 0 0 0 0-40Zm0 5a15 15 0 0 1 0 30Z",
  silent: "M24 4a20 20 0 1 0 0 40 20 20 0 0 0 0-40Zm-8.5 8L24 20.5l8.5-8.5 3.5 3.5-8.5 8.5 8.5 8.5-3.5 3.5-8.5-8.5-8.5 8.5-3.5-3.5 8.5-8.5-8.5-8.5Z",
};
const SIGN_OF = { ready: "ready", degraded: "degraded", paused: "degraded", stopped: "stopped", stuck: "stopped", "no answer": "silent" };
const ICON_COLOURS = { ready: "#1b7a43", degraded: "#d98a00", stopped: "#b3261e", silent: "#5b5f66", busy: "#2458a6" };

const find = (id) => document.getElementById(id);
let timer = null;
let asking = false;
let failures = 0;
let answeredAt = null;       // by this browser's clock
let historyAt = -HISTORY_MS;
let spoken = "";

// The time of the process: a viewer's clock may be wrong.
const clock = {
  processAt: Date.now(),
  heardAt: performance.now(),
  hear(now, ageSeconds) {
    this.processAt = Date.parse(now) + 1000 * ageSeconds;
    this.heardAt = performance.now();
  },
  now() {
    return this.processAt + performance.now() - this.heardAt;
  },
  ago(moment) {
    return Math.max((this.now() - Date.parse(moment)) / 1000, 0);
  },
  until(moment) {
    if (!moment) return "–";
    const seconds = (Date.parse(moment) - this.now()) / 1000;
    return seconds < 0.5 ? "now" : `in ${agoText(seconds)}`;
  },
};

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  // Tabs share an answer for a moment: the header says how old it is.
  if (response.ok) return { age: Number(response.headers.get("Age") || 0), told: await response.json() };
  throw Object.assign(new Error("refused"), { status: response.status, told: (await response.text()).slice(0, 300) });
}

async function poll() {
  if (asking || document.hidden) return;
  asking = true;
  timer = null;
  let answered = false;
  try {
    const { age, told: status } = await ask("/status?members");
    answered = true;
    answeredAt = Date.now() - 1000 * age;
    clock.hear(status.now, age);
    show(status);
    failures = 0;
    if (performance.now() - historyAt >= HISTORY_MS) await readHistory();
    else append(status.now_series, Date.parse(status.now));
  } catch (error) {
    failures += 1;
    if (failures > 1) sayNoAnswer(error, answered);
  } finally {
    asking = false;
    if (!document.hidden) timer = setTimeout(poll, failures === 1 ? AGAIN_MS : EVERY_MS);
  }
}

async function readHistory() {
  replace((await ask("/history")).told);
  historyAt = performance.now();
}

function show(status) {
  const { first } = status;
  document.documentElement.classList.remove("stale");
  setState(status.status);
  setText(find("word"), status.status);
  setText(find("since"), "");
  sayFirst(first.text, first.do);
  find("runbook").hidden = !first.runbook;
  setText(find("runbook").querySelector("code"), first.runbook || "");
  sayOthers([...status.reasons.filter((reason) => reason !== first.text), ...(status.notes || [])]);
  sayIdentity(status);
  sayLimit(status.requests_in_flight_limit);
  fillTables(status, clock);
}

function sayFirst(text, what) {
  setText(find("cause"), text);
  setText(find("do"), what);
  // Read out when it is another cause; not when its seconds have changed.
  const same = text.replace(/\d+/g, "0");
  if (same !== spoken) setText(find("spoken"), `${find("word").textContent}: ${text}. ${what}`);
  spoken = same;
}

function sayOthers(reasons) {
  const shown = reasons.slice(0, 4).map((reason) => make("li", "", reason));
  if (reasons.length > 4) shown.push(make("li", "", `and ${reasons.length - 4} more`));
  const list = find("others");
  if (list.textContent !== shown.map((item) => item.textContent).join("")) list.replaceChildren(...shown);
}

function sayIdentity(status) {
  const member = status.member || {};
  const rows = {
    topic: member.topic, group: member.group, host: member.host, client: member.client_id,
    version: status.version, "up for": agoText(status.uptime_seconds),
  };
  const list = find("identity");
  if (list.children.length === 0) {
    for (const name of Object.keys(rows)) {
      const pair = make("div");
      pair.append(make("dt", "", name), make("dd"));
      list.append(pair);
    }
  }
  Object.values(rows).forEach((text, place) => setText(list.children[place].lastChild, text || "–"));
  list.title = `started ${status.started_at}`;
}

// `answered`: but this page can't show it, as that of a process that has another version by now.
function sayNoAnswer(error, answered) {
  const since = answeredAt === null ? "" : ` since ${clockText(answeredAt)}`;
  document.documentElement.classList.add("stale");
  setState("no answer");
  setText(find("word"), "no answer");
  setText(find("since"), answeredAt === null ? "" : agoText((Date.now() - answeredAt) / 1000));
  find("runbook").hidden = true;
  sayOthers([]);
  if (answered) sayFirst("this page can't show what the process answers", "Reload the page: the process may have another version by now.");
  else if (error.status) sayFirst(`no status${since}: it answered ${error.status}`, error.told);
  else sayFirst(`no answer${since}`, "Does the process run, and can this browser reach it? What is shown below is old.");
}

function setState(word) {
  const state = SIGN_OF[word] || "busy";
  const title = `${word} · customfit-consumer`;
  if (document.title !== title) document.title = title;
  if (document.documentElement.dataset.state === state) return;
  document.documentElement.dataset.state = state;
  find("sign").setAttribute("d", SIGNS[state]);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48"><path fill="${ICON_COLOURS[state]}" fill-rule="evenodd" d="${SIGNS[state]}"/></svg>`;
  find("icon").href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) poll();
});
setInterval(() => {
  if (!document.hidden && failures < 2) countDown(clock);
}, 1000);

layOut(find("charts"));
watchButtons();
poll();
