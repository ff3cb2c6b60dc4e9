/**
 * Five fields of cron, read as the server reads them, so that a slip is said while it is typed. The server decides.
 * Source of the fields: crontab(5).
 */

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DAY_NAMES = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

type CronField = { name: string; low: number; high: number; words: readonly string[]; firstWord: number };

const FIELDS: readonly CronField[] = [
  { name: "minute", low: 0, high: 59, words: [], firstWord: 0 },
  { name: "hour", low: 0, high: 23, words: [], firstWord: 0 },
  { name: "day of month", low: 1, high: 31, words: [], firstWord: 0 },
  { name: "month", low: 1, high: 12, words: MONTHS, firstWord: 1 },
  { name: "day of week", low: 0, high: 7, words: DAYS, firstWord: 0 },
];

/** What is wrong with it; null where nothing is. */
export function cronProblem(text: string): string | null {
  const fields = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
  if (fields.length !== FIELDS.length) return `needs 5 fields (minute, hour, day of month, month, day of week), has ${fields.length}`;
  for (const [at, field] of FIELDS.entries()) {
    for (const part of (fields[at] ?? "").split(",")) {
      const problem = partProblem(field, part);
      if (problem) return `${field.name}: ${problem}`;
    }
  }
  return null;
}

function partProblem(field: CronField, part: string): string | null {
  const match = /^(\*|[0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?(?:\/([0-9]{1,2}))?$/.exec(part);
  if (!match || (match[1] === "*" && match[2] !== undefined)) return `“${part}” is no number, range, list or step`;
  if (match[3] !== undefined && Number(match[3]) < 1) return "a step is at least 1";
  if (match[1] === "*") return null;
  const low = valueOf(field, match[1] ?? "");
  if (low === null) return `${match[1]} is not from ${field.low} to ${field.high}`;
  if (match[2] === undefined) return null;
  let high = valueOf(field, match[2]);
  if (high === null) return `${match[2]} is not from ${field.low} to ${field.high}`;
  // A week may end with its Sunday.
  if (field.words === DAYS && high === 0 && low > 0) high = 7;
  return low > high ? `the range “${part}” ends before it begins` : null;
}

function valueOf(field: CronField, text: string): number | null {
  const word = field.words.indexOf(text);
  if (word >= 0) return word + field.firstWord;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= field.low && value <= field.high ? value : null;
}

/** The common ones in words; null for what is better read as it stands. */
export function cronSentence(text: string): string | null {
  if (cronProblem(text) !== null) return null;
  const [minute = "", hour = "", day, month, weekday = ""] = text.trim().toLowerCase().split(/\s+/);
  if (day !== "*" || month !== "*" || !/^\d+$/.test(minute)) return null;
  if (hour === "*" && weekday === "*") return `Every hour, ${Number(minute)} min past`;
  if (!/^\d+$/.test(hour)) return null;
  const at = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  if (weekday === "*") return `Every day at ${at}`;
  if (weekday === "mon-fri" || weekday === "1-5") return `Monday to Friday at ${at}`;
  const days = weekday.split(",").map((one) => valueOf(FIELDS[4] as CronField, one));
  if (days.some((one) => one === null)) return null;
  return `Every ${days.map((one) => DAY_NAMES[(one ?? 0) % 7]).join(", ")} at ${at}`;
}

/** Whether this browser knows the time zone; the server has the last word. */
export function zoneProblem(name: string): string | null {
  try {
    Intl.DateTimeFormat("en", { timeZone: name });
    return /^[+-]/.test(name) || name === "" ? "is no IANA time zone, such as Europe/Berlin or UTC" : null;
  } catch {
    return "is no IANA time zone, such as Europe/Berlin or UTC";
  }
}

export function timeZones(): string[] {
  const all = Intl.supportedValuesOf("timeZone");
  return all.includes("UTC") ? all : ["UTC", ...all];
}
