// Numbers and times as people read them.

const NUMBER = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const STEPS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** 4 s, 3 min, 2 h 10 min, 5 d 3 h: the two largest units that say anything. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const first = STEPS.findIndex(([, size]) => whole >= size);
  if (first < 0) return "0 s";
  const [unit, size] = STEPS[first];
  const text = `${Math.floor(whole / size)} ${unit}`;
  const next = STEPS[first + 1];
  const rest = next && first < 2 ? Math.floor((whole % size) / next[1]) : 0;
  return rest ? `${text} ${rest} ${next[0]}` : text;
}

/** How long ago, with the small times kept calm. */
export function ago(seconds) {
  return seconds < 1 ? "just now" : `${duration(seconds)} ago`;
}

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let value = count;
  while (value >= 1000 && at < units.length - 1) { value /= 1000; at += 1; }
  return `${at && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

export const number = (value) => NUMBER.format(value);
export const percent = (share) => `${share >= 0.995 || share === 0 ? Math.round(share * 100) : Math.floor(share * 100)} %`;
export const milliseconds = (value) => (value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`);

/** A time of day, with the date where it isn't today. */
export function moment(text) {
  const at = new Date(text);
  const today = new Date().toDateString() === at.toDateString();
  return (today ? CLOCK : DAY).format(at);
}

export const clock = (milliseconds) => CLOCK.format(new Date(milliseconds));
