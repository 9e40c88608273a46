// Asks the emulator every second while the page is seen. Which user is shown stands behind the # of the address.
import { linkTo, showEvents, showHead, showNobody, showProfile, showUsers } from "./show.js";
import { clockText, setText, visible } from "./texts.js";

const EVERY_MS = 1000;
const ANSWER_MS_MAX = 5000;
const TYPING_MS = 150;

const find = (id) => document.getElementById(id);
let timer = null;
let asking = false;
let again = false;           // something else was asked for meanwhile
let failures = 0;
let answeredAt = null;
let shownOf = "";
let known = new Map();       // events of the user that is shown, by number

function chosen() {
  const words = new URLSearchParams(location.hash.slice(1));
  const id = words.get("user");
  if (id === null || id === "") return null;
  const user = { user_id: id, anonymous: words.get("anonymous") === "1" };
  return { user, tab: words.get("tab") === "events" ? "events" : "profile" };
}

async function ask(path, words = {}) {
  const response = await fetch(`${path}?${new URLSearchParams(words)}`, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`answered ${response.status}`);
  return response.json();
}

function askOne(place, words = {}) {
  const { user, tab } = place;
  return ask(`users/${tab}`, { user: user.user_id, ...(user.anonymous ? { anonymous: "1" } : {}), ...words });
}

async function poll() {
  if (document.hidden) return;
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  clearTimeout(timer);
  const place = chosen();
  const prefix = find("prefix").value;
  try {
    const [users, one] = await Promise.all([ask("users", { prefix }), place && askOne(place)]);
    failures = 0;
    answeredAt = new Date().toISOString();
    if (!again) show(users, place, one, prefix);
  } catch (error) {
    failures += 1;
    if (failures > 1) sayNoAnswer(error);
  } finally {
    asking = false;
    if (!document.hidden) timer = setTimeout(poll, again ? 0 : EVERY_MS);
    again = false;
  }
}

function show(users, place, one, prefix) {
  const { dataset } = document.documentElement;
  const now = Date.parse(users.now);
  dataset.state = users.faults.length ? "failing" : "well";
  dataset.place = place ? "one" : "users";
  setText(find("strip"), users.faults.length ? `It fails on purpose: ${users.faults.join(", ")}` : "");
  showUsers(users, place ? linkTo(place.user) : "", prefix, now);
  if (place === null) {
    showNobody("No user is chosen", "A user's properties and events appear here, live.");
  } else if (one === null) {
    forget("");
    showNobody(visible(place.user.user_id), "Nothing of this user is kept: nothing has come, or it was too long ago.");
  } else {
    showHead(one, place.tab, now);
    forget(linkTo(place.user, place.tab));
    if (place.tab === "events") showEvents(one, remember(one.listed, one));
    else showProfile(one);
  }
  const title = place ? `${visible(place.user.user_id)} · CustomFit emulator` : "CustomFit emulator";
  if (document.title !== title) document.title = title;
}

// Another user, or another tab: what is shown is not compared with what was.
function forget(link) {
  if (link === shownOf) return;
  shownOf = link;
  known = new Map();
  for (const id of ["properties", "identifies", "happened"]) find(id).replaceChildren();
}

// The newest are told every second; what was asked for beyond them stays, as long as there is no gap between.
function remember(listed, told) {
  const numbers = [...known.keys()];
  const highest = Math.max(0, ...numbers);
  const lowest = listed.length ? listed[listed.length - 1].number : 0;
  const other = listed.some((one) => known.has(one.number) && known.get(one.number).arrived_at !== one.arrived_at);
  if (other || highest > told.events || lowest > highest + 1) known = new Map();
  for (const one of listed) known.set(one.number, one);
  for (const number of numbers) if (number <= told.events - told.events_kept) known.delete(number);
  return [...known.values()].sort((one, two) => two.number - one.number);
}

async function showOlder() {
  const place = chosen();
  const told = place && await askOne(place, { before: Math.min(...known.keys()) }).catch(() => null);
  if (!told || linkTo(place.user, place.tab) !== shownOf) return;
  for (const one of told.listed) known.set(one.number, one);
  poll();
}

function sayNoAnswer(error) {
  document.documentElement.dataset.state = "silent";
  const since = answeredAt === null ? "" : ` since ${clockText(answeredAt)} (UTC)`;
  const why = error.message.startsWith("answered") ? ` (${error.message})` : "";
  setText(find("strip"), `No answer from the emulator${since}${why}. What is shown is old.`);
}

let typing = null;
find("prefix").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(poll, TYPING_MS);
});
find("older").addEventListener("click", showOlder);
addEventListener("hashchange", poll);
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  poll();
});
poll();
