// What stands on the page: the users, one user's profile, one user's events.
import { agoText, clockText, fillList, make, named, numberText, plural, sayNone, setText, timeText, visible } from "./texts.js";

const find = (id) => document.getElementById(id);
const KINDS = { track: "track", pageview: "pageview", screenview: "screenview" };

export function linkTo(user, tab = "") {
  const words = new URLSearchParams({ user: user.user_id });
  if (user.anonymous) words.set("anonymous", "1");
  if (tab) words.set("tab", tab);
  return `#${words}`;
}

// --- the users

export function showUsers(told, chosen, prefix, now) {
  showCounts(told);
  setText(find("users-count"), `${numberText(told.found)}, newest first`);
  if (told.listed.length === 0) {
    sayNone(find("users"), "li", told.kept_max === 0 ? "Users are not kept here (--page-users-max 0)." : prefix ? "No user's id begins so." : "Nobody yet. Who is sent to the emulator appears here by themselves.");
  } else {
    find("users").querySelector(".none")?.remove();
    fillList(find("users"), told.listed, (user) => linkTo(user), (user, old) => fillUser(user, old, chosen, now));
  }
  const more = told.found - told.listed.length;
  const forgotten = told.forgotten ? ` ${plural(told.forgotten, "user has", "users have")} been so far.` : "";
  setText(find("users-note"), `${more > 0 ? `${numberText(more)} more: type how their id begins. ` : ""}`
    + `At most ${numberText(told.kept_max)} are kept; beyond, those of whom nothing came for longest are forgotten.${forgotten}`);
}

function showCounts(told) {
  const refused = Object.values(told.refused).reduce((sum, count) => sum + count, 0);
  const dropped = Object.values(told.dropped).reduce((sum, count) => sum + count, 0);
  const rows = { accepted: told.accepted, refused, unanswered: dropped, users: told.kept };
  const list = find("counts");
  if (list.children.length === 0) {
    for (const name of Object.keys(rows)) {
      const pair = make("div");
      pair.append(make("dt", "", name), make("dd"));
      list.append(pair);
    }
  }
  Object.values(rows).forEach((count, place) => setText(list.children[place].lastChild, numberText(count)));
}

function fillUser(user, old, chosen, now) {
  const item = old || make("li");
  if (!old) {
    const link = make("a");
    link.href = linkTo(user);
    link.append(named("span", "id", user.user_id), make("span", "ago"), make("span", "last text"), make("span", "size"));
    item.append(link);
  }
  const [id, ago, last, size] = item.firstChild.children;
  id.title = visible(user.user_id);
  setText(ago, `${agoText((now - Date.parse(user.last_at)) / 1000)} ago`);
  setText(last, `${user.anonymous ? "anonymous · " : ""}${user.identified ? "" : "not identified · "}${visible(user.last)}`);
  setText(size, plural(user.events, "event"));
  if (item.firstChild.href.endsWith(chosen) && chosen) item.firstChild.setAttribute("aria-current", "page");
  else item.firstChild.removeAttribute("aria-current");
  return item;
}

// --- one user

export function showNobody(text, about) {
  setText(find("one-head"), text);
  setText(find("about"), about);
  find("tabs").hidden = find("profile").hidden = find("events").hidden = true;
}

export function showHead(user, tab, now) {
  setText(find("one-head"), visible(user.user_id));
  const about = find("about");
  if (about.children.length === 0) about.replaceChildren(make("span", "badge"), make("span", "badge", "anonymous"), make("span"));
  const [identified, anonymous, came] = about.children;
  setText(identified, user.identified ? "identified" : "not identified");
  identified.className = `badge ${user.identified ? "good" : "warn"}`;
  anonymous.hidden = !user.anonymous;
  const identifies = plural(user.identifies, "identify", "identifies");
  setText(came, `${identifies} and ${plural(user.events, "event")}; the last came ${agoText((now - Date.parse(user.last_at)) / 1000)} ago`);
  find("tabs").hidden = false;
  for (const name of ["profile", "events"]) {
    const link = find(`tab-${name}`);
    link.href = linkTo(user, name);
    if (name === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    find(name).hidden = name !== tab;
  }
  setText(find("tab-events-count"), numberText(user.events));
}

export function showProfile(told) {
  setText(find("properties-count"), told.properties.length ? numberText(told.properties.length) : "");
  if (told.properties.length === 0) sayNone(find("properties"), "div", "None: nothing is known but the id.");
  else {
    find("properties").querySelector(".none")?.remove();
    fillList(find("properties"), told.properties, (one) => `${one.name} ${one.since} ${one.value.text}`, (one, old) => old || propertyOf(one));
  }
  if (told.listed.length === 0) sayNone(find("identifies"), "li", "No identify has come.");
  else {
    find("identifies").querySelector(".none")?.remove();
    fillList(find("identifies"), told.listed, (one) => `${one.number} ${one.arrived_at}`, (one, old) => old || identifyOf(one));
  }
  const gone = told.identifies - told.identifies_kept;
  setText(find("profile-note"), `The newest ${numberText(told.identifies_max)} identifies of a user are kept.`
    + (gone > 0 ? ` ${plural(gone, "older one")} ${gone === 1 ? "is" : "are"} gone: what they set stands above without a time.` : "")
    + (told.complete ? "" : " Some of what identifies set is not known: it was too large to be kept, or came before a restart.")
    + " A property that an identify does not name keeps its value; CustomFit.ai does not say whether it does the same.");
}

function propertyOf(one) {
  const row = make("div");
  row.append(named("dt", "", one.name), valueOf("dd", one.value), make("dd", "since", one.since ? `since ${clockText(one.since)}` : "earlier"));
  if (one.since) row.lastChild.title = timeText(one.since);
  return row;
}

function valueOf(tag, value) {
  const made = named(tag, `value is-${value.type}`, value.text);
  if (value.type === "text" && value.text === "") made.append(make("span", "cut", "empty text"));
  if (value.cut_characters) made.append(make("span", "cut", ` … ${plural(value.cut_characters, "character")} more`));
  return made;
}

function identifyOf(one) {
  const item = make("li");
  const data = make("dl", "data");
  for (const change of one.changes) {
    const row = make("div");
    const cell = make("dd", change.before ? "" : "new");
    if (change.before) {
      const old = make("del");
      old.append(valueOf("span", change.before));
      cell.append(old, make("span", "arrow", "→"));
    }
    const now = make("ins");
    now.append(valueOf("span", change.after));
    cell.append(now);
    row.append(named("dt", "", change.name), cell);
    data.append(row);
  }
  let about = "";
  if (one.introduction) about = "introduced: nothing known but the id";
  else if (!one.known) about = "its properties are not kept";
  else if (one.changes.length === 0) about = "nothing changed";
  const said = [];
  if (one.left_out) said.push(`${plural(one.left_out, "more change")} not listed`);
  if (one.unchanged && one.changes.length) said.push(`${numberText(one.unchanged)} unchanged`);
  item.append(firstLine(one, "identify", "", about), data, secondLine(one, said));
  return item;
}

// --- events

export function showEvents(told, all) {
  setText(find("events-count"), told.events ? "newest first, times in UTC" : "");
  if (all.length === 0) sayNone(find("happened"), "li", "No event has come.");
  else {
    find("happened").querySelector(".none")?.remove();
    fillList(find("happened"), all, (one) => `${one.number} ${one.arrived_at}`, (one, old) => old || eventOf(one));
  }
  const oldest = told.events - told.events_kept + 1;
  const older = all.length ? all[all.length - 1].number - oldest : 0;
  find("older").parentElement.hidden = older <= 0;
  setText(find("older"), `Show older: ${numberText(Math.max(older, 0))}`);
  const gone = told.events - told.events_kept;
  setText(find("events-note"), `The newest ${numberText(told.events_max)} events of a user are kept.`
    + (gone > 0 ? ` ${plural(gone, "older one")} ${gone === 1 ? "is" : "are"} gone.` : ""));
}

function eventOf(one) {
  const item = make("li");
  const data = make("dl", "data");
  for (const { name, value } of one.properties) {
    const row = make("div");
    row.append(named("dt", "", name), valueOf("dd", value));
    data.append(row);
  }
  const said = [];
  if (!one.known) said.push("its data is not kept");
  if (one.left_out) said.push(`${plural(one.left_out, "more property", "more properties")} not listed`);
  item.append(firstLine(one, KINDS[one.kind] || "", one.name), data, secondLine(one, said));
  return item;
}

// --- both

function firstLine(one, kind, name, about = "") {
  const line = make("p", "first");
  line.append(make("span", "number", `#${numberText(one.number)}`), make("span", "kind", kind));
  if (name !== "") line.append(name === null ? make("span", "none", "no name") : named("span", "name", name));
  if (about) line.append(make("span", "none", about));
  if (one.again) line.append(make("span", "badge warn", "sent again"));
  if (!one.answered) line.append(make("span", "badge bad", "answer lost"));
  const time = make("time", "", timeText(one.happened_at || one.arrived_at));
  time.title = one.happened_at ? "when it happened" : "when it arrived";
  line.append(time);
  return line;
}

function secondLine(one, said) {
  const line = make("p", "second");
  for (const text of said) line.append(make("span", "", text));
  if (one.insert_id) {
    const id = make("span", "", "insert_id ");
    id.append(named("span", "", one.insert_id));
    line.append(id);
  }
  line.append(make("span", "", `arrived ${clockText(one.arrived_at)}`));
  return line;
}
