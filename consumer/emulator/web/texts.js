// Figures as words, and the only ways in which anything gets onto the page: as text, never as markup.

export function make(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

// Only what has changed is touched, so that a selection, and a screen reader's place, stay.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const SHORT = { "\n": "\\n", "\t": "\\t", "\r": "\\r" };

// What can't be seen, or would turn round what stands beside it, is shown by its number.
export function visible(text) {
  return text.replace(UNSEEN, (found) => SHORT[found] || `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function named(tag, className, text) {
  return make(tag, `text ${className}`.trim(), visible(text));
}

export function numberText(value) {
  return value.toLocaleString("en");
}

export function plural(count, one, many = `${one}s`) {
  return `${numberText(count)} ${count === 1 ? one : many}`;
}

export function agoText(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86400)} d`;
}

// 2026-11-29T17:02:11.123Z → 2026-11-29 17:02:11.123
export function timeText(moment) {
  return moment.replace("T", " ").replace("Z", "");
}

export function clockText(moment) {
  return timeText(moment).slice(11, 19);
}

// Several may have one key, as properties whose long names begin alike: the second is another item than the first.
function keysOf(items, keyOf) {
  const times = new Map();
  return items.map((item) => {
    const key = keyOf(item);
    const before = times.get(key) ?? 0;
    times.set(key, before + 1);
    return before ? `${key} (${before + 1})` : key;
  });
}

// Items by key: those that stay are kept, so that what is looked at does not jump. `fill` makes or fills one.
export function fillList(place, items, keyOf, fill) {
  const known = new Map([...place.children].map((item) => [item.dataset.key, item]));
  const isFirst = known.size === 0;
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const keys = keysOf(items, keyOf);
  let before = null;
  for (const [number, one] of items.entries()) {
    const key = keys[number];
    const old = known.get(key);
    known.delete(key);
    const item = fill(one, old);
    item.dataset.key = key;
    if (!old && !isFirst) item.classList.add("fresh");
    const expected = before === null ? place.firstElementChild : before.nextElementSibling;
    if (item !== expected) place.insertBefore(item, expected);
    before = item;
  }
  for (const gone of known.values()) gone.remove();
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true }); // it was moved
}

export function sayNone(place, tag, text) {
  const none = make(tag, "none", text);
  none.dataset.key = "none";
  if (place.textContent !== text) place.replaceChildren(none);
}
