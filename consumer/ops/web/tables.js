// What stands below the lines: partitions, problems, users who wait, dead letters, members, settings.
import { agoText, fillCells, fillRows, make, numberText, plural, rangesText, rowOf, sayNone, secondsText, setText } from "./texts.js";

const ROWS_SHOWN = 12;        // of those with something wrong
const ROWS_SHOWN_WELL = 8;
const LATE_SECONDS = 60;      // as the objective of late minutes counts
const LAG_OF_A_FULL_BAR = 1000;
const find = (id) => document.getElementById(id);
let allPartitions = false;
let lastStatus = null;

export function fillTables(status, clock) {
  lastStatus = status;
  fillPartitions(status);
  fillProblems(status.problems || [], clock);
  fillWaiting(status, clock);
  fillLetters(status.dead_letters || []);
  fillMembers(status.members, clock);
  fillSettings(status.settings || {});
}

export function watchButtons() {
  find("partitions-more").addEventListener("click", () => {
    allPartitions = !allPartitions;
    if (lastStatus) fillPartitions(lastStatus);
  });
}

// --- partitions

function severity(partition) {
  if (partition.problem) return 3;
  if (!partition.is_ours) return 2;
  return partition.why || partition.restoring ? 1 : 0;
}

// Those with something wrong first, of them those that are much further behind; else in their own order, so that rows
// stand still.
function inOrder(partitions, source) {
  const behind = (one) => Math.floor(Math.log2((severity(one) ? one.lag_seconds ?? 0 : 0) + 1));
  return [...partitions].sort((one, other) =>
    severity(other) - severity(one) || behind(other) - behind(one)
    || (one.topic === source ? 0 : 1) - (other.topic === source ? 0 : 1)
    || one.topic.localeCompare(other.topic) || one.partition - other.partition);
}

function fillPartitions(status) {
  const table = find("partitions");
  const source = status.member?.topic;
  const sorted = inOrder(status.partitions, source);
  const wrong = sorted.filter(severity).length;
  const most = Math.max(...sorted.map((one) => one.lag_events ?? 0), LAG_OF_A_FULL_BAR);
  const folded = sorted.length > ROWS_SHOWN + 3;
  const shown = folded && !allPartitions ? sorted.slice(0, Math.max(ROWS_SHOWN_WELL, Math.min(wrong, ROWS_SHOWN))) : sorted;
  setText(find("partitions-count"), countOf(sorted, wrong));
  find("partitions-more").parentElement.hidden = !folded;
  fillCellsOf(sorted, source);
  if (sorted.length === 0) return sayNone(table, "None: the group has given this member no partition.");
  table.classList.remove("empty");
  fillRows(table.tBodies[0], shown, (one) => `${one.topic} ${one.partition}`,
    rowOf(table, "name", "number bar", "number", "why"), (row, one) => fillPartition(row, one, source, most));
  if (folded) sayMore(sorted.slice(shown.length));
}

// One square each, in the order of their numbers: how many are concerned is seen from afar.
function fillCellsOf(partitions, source) {
  const place = find("cells");
  const inPlace = [...partitions].sort((one, other) =>
    (one.topic === source ? 0 : 1) - (other.topic === source ? 0 : 1) || one.topic.localeCompare(other.topic) || one.partition - other.partition);
  place.hidden = inPlace.length < 2;
  place.classList.toggle("many", inPlace.length > 60);
  fillRows(place, inPlace, (one) => `${one.topic} ${one.partition}`, () => make("i"), (cell, one) => {
    const level = String(severity(one));
    if (cell.dataset.level !== level) cell.dataset.level = level;
    const words = `${one.topic} ${one.partition}: ${plural(one.lag_events ?? 0, "event")} behind`;
    if (cell.title !== words) cell.title = words;
  });
}

function countOf(partitions, wrong) {
  const behind = partitions.reduce((sum, one) => sum + (one.lag_events ?? 0), 0);
  const waits = wrong ? `${numberText(wrong)} of ${numberText(partitions.length)} wait` : numberText(partitions.length);
  return partitions.length ? `${waits} · ${plural(behind, "event")} behind` : "";
}

function sayMore(rest) {
  const wrong = rest.filter((one) => severity(one)).length;
  const button = find("partitions-more");
  const what = wrong ? `${numberText(wrong)} of them wait` : "nothing is wrong with them";
  setText(button, allPartitions ? "Show fewer" : `Show ${numberText(rest.length)} more: ${what}`);
  button.setAttribute("aria-expanded", String(allPartitions));
}

function fillPartition(row, one, source, most) {
  const topic = one.topic.startsWith(`${source}.`) ? one.topic.slice(source.length + 1) : one.topic;
  const name = one.topic === source ? `${one.partition}` : `${topic} ${one.partition}`;
  const why = one.problem || one.why || (one.restoring ? "its state is being read" : "") || (one.is_ours ? "" : "the group took it away");
  fillCells(row, name, numberText(one.lag_events), secondsText(one.lag_seconds), why);
  row.children[0].title = `${one.topic} ${one.partition}`;
  row.dataset.level = severity(one);
  row.children[2].classList.toggle("late", (one.lag_seconds ?? 0) > LATE_SECONDS);
  row.children[1].style.setProperty("--part", `${Math.round(100 * (one.lag_events ?? 0) / most)}%`);
}

// --- problems

function fillProblems(problems, clock) {
  setText(find("problems-count"), problems.length ? "since the start" : "");
  fillList(find("problems"), problems, (one) => `${one.stage} ${one.kind}`, problemItem, (item, one) => {
    const [head, text, when] = item.children;
    fillCells(head, `${one.stage}: ${one.kind}`, `×\u202f${numberText(one.count)}`);
    setText(text, one.text);
    const last = clock.ago(one.last);
    const first = clock.ago(one.first);
    setText(when, one.count > 1 && first - last >= 1 ? `last ${agoText(last)} ago, first ${agoText(first)} ago` : `${agoText(last)} ago`);
    item.classList.toggle("recent", last < 60);
  });
}

// A list with one item that says so where there is none.
function fillList(list, items, keyOf, makeItem, fillItem) {
  const filled = items.length ? items : [null];
  fillRows(list, filled, (one) => (one === null ? "none" : keyOf(one)),
    () => (items.length ? makeItem() : make("li", "none", "None since the start.")),
    (item, one) => (one === null ? undefined : fillItem(item, one)));
}

function problemItem() {
  const item = make("li");
  const head = make("p", "head");
  head.append(make("strong"), make("span", "times"));
  item.append(head, make("p", "text"), make("p", "when"));
  return item;
}

// --- users who wait

function fillWaiting(status, clock) {
  const table = find("waiting");
  const waiting = status.waiting || [];
  const held = status.events.held.users;
  const counts = [status.users_retrying && `${numberText(status.users_retrying)} tried again`, held && `${numberText(held)} held`];
  setText(find("waiting-count"), counts.filter(Boolean).join(" · "));
  if (waiting.length === 0) return sayNone(table, "Nobody waits for another try, or for an identify.");
  table.classList.remove("empty");
  const makeRow = rowOf(table, "user", "why", "number", "number", "answer", "number next", "record");
  fillRows(table.tBodies[0], waiting, (one) => `${one.user} ${one.topic} ${one.partition}`, makeRow, (row, one) => {
    const next = row.children[5];
    const nextAt = one.next_try || (one.kind === "held" ? one.given_up : null);  // when its hold ends, it is sent
    fillCells(row, one.user, one.why || one.kind, agoText(clock.ago(one.since)), one.attempts ? numberText(one.attempts) : "–",
      one.last_answer || "–", clock.until(nextAt), `${one.topic}-${one.partition} @ ${one.offset}`);
    next.dataset.until = nextAt || "";
  });
}

// Between two answers: the seconds that are left.
export function countDown(clock) {
  for (const cell of document.querySelectorAll("[data-until]")) setText(cell, clock.until(cell.dataset.until));
}

// --- dead letters, members, settings

function fillLetters(letters) {
  const total = letters.reduce((sum, one) => sum + one.count, 0);
  setText(find("letters-count"), total ? `${numberText(total)} since the start` : "");
  fillList(find("letters"), letters, (one) => one.reason, () => {
    const item = make("li");
    const head = make("p", "head");
    head.append(make("strong"), make("span", "times"));
    item.append(head, make("code", "copied"));
    return item;
  }, (item, one) => {
    fillCells(item.firstChild, one.reason, `×\u202f${numberText(one.count)}`);
    setText(item.lastChild, one.command);
  });
}

function fillMembers(told, clock) {
  const members = told?.members || [];
  const asked = told?.asked_at ? `asked of the broker ${agoText(clock.ago(told.asked_at))} ago` : "";
  setText(find("members-count"), told?.problem ? told.problem : asked);
  const table = find("members");
  if (members.length === 0) return sayNone(table, told?.problem ? "Not known." : "The broker is being asked.");
  table.classList.remove("empty");
  const ordered = [...members].sort((one, other) => Number(other.is_me) - Number(one.is_me) || one.host.localeCompare(other.host));
  fillRows(table.tBodies[0], ordered, (one) => `${one.client_id} ${one.host} ${one.is_me} ${one.partitions[0]?.topic} ${one.partitions[0]?.partition}`,
    rowOf(table, "client", "", "ranges"), (row, one) => {
      fillCells(row, one.is_me ? `${one.client_id} (this one)` : one.client_id, one.host.replace(/^\//, ""), partitionsText(one.partitions));
      row.classList.toggle("me", one.is_me);
    });
}

function partitionsText(partitions) {
  const byTopic = new Map();
  for (const { topic, partition } of partitions) byTopic.set(topic, [...(byTopic.get(topic) || []), partition]);
  const texts = [...byTopic].map(([topic, numbers]) => `${topic} ${rangesText(numbers)}`);
  return texts.join("; ") || "none";
}

function fillSettings(settings) {
  const names = Object.keys(settings);
  setText(find("settings-count"), names.length ? `${names.length}, secrets masked` : "");
  fillRows(find("settings"), names, (name) => name, () => {
    const pair = make("div");
    pair.append(make("dt"), make("dd"));
    return pair;
  }, (pair, name) => fillCells(pair, name, settings[name] === null || settings[name] === "" ? "–" : String(settings[name])));
}
