/** What people write who come from other products, with our word for it. */
const WORD_BY_FOREIGN: Readonly<Record<string, string>> = {
  nodeid: "node",
  id: "node",
  browsepath: "path",
  register: "holding",
  uom: "unit",
  units: "unit",
  url: "address",
  host: "address",
  endpoint: "address",
  endpointurl: "address",
  slave: "unitId",
  slaveid: "unitId",
  datatype: "type",
  scanrate: "pollIntervalMs",
  polling: "pollIntervalMs",
  tags: "signals",
  sensors: "signals",
  devices: "machines",
  types: "machineTypes",
  bool: "boolean",
  byte: "uint8",
  short: "int16",
  int: "int16",
  word: "uint16",
  dint: "int32",
  dword: "uint32",
  real: "float32",
  float: "float32",
  lreal: "float64",
  double: "float64",
};

/** Similarity below which a suggestion would puzzle more than it helps; 1 is equality. */
const SIMILARITY_MIN = 0.6;

/** The candidate that was probably meant, or undefined. Spelling, parts of camelCase words and foreign words count. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const foreign = WORD_BY_FOREIGN[word.toLowerCase()];
  if (foreign !== undefined && candidates.includes(foreign)) return foreign;
  let best: string | undefined;
  let bestScore = SIMILARITY_MIN;
  for (const candidate of candidates) {
    const score = Math.max(spellingSimilarity(word, candidate), wordSimilarity(word, candidate));
    if (score > bestScore || (score === bestScore && best === undefined)) {
      best = candidate;
      bestScore = score;
    }
  }
  return best;
}

/** "; did you mean 'x'?" or "". */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const found = nearest(word, candidates);
  return found === undefined ? "" : `; did you mean '${found}'?`;
}

function spellingSimilarity(a: string, b: string): number {
  const left = a.toLowerCase();
  const right = b.toLowerCase();
  const longest = Math.max(left.length, right.length);
  if (longest === 0 || longest > 64) return 0;
  return 1 - editDistance(left, right) / longest;
}

/** Damerau-Levenshtein distance with adjacent swaps (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  const cells = new Uint16Array((a.length + 1) * width);
  const cell = (i: number, j: number): number => cells[i * width + j] ?? 0;
  for (let i = 0; i <= a.length; i++) cells[i * width] = i;
  for (let j = 0; j <= b.length; j++) cells[j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(cell(i - 1, j) + 1, cell(i, j - 1) + 1, cell(i - 1, j - 1) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, cell(i - 2, j - 2) + 1);
      cells[i * width + j] = least;
    }
  }
  return cell(a.length, b.length);
}

/** "sampleMs" is like "samplingIntervalMs": each of its words begins like one of the other's. */
function wordSimilarity(a: string, b: string): number {
  const wordsOfA = wordsOf(a);
  const wordsOfB = wordsOf(b);
  if (wordsOfA.length < 2) return 0;
  const matched = wordsOfA.filter((word) =>
    wordsOfB.some((other) => word === other || commonPrefix(word, other) >= Math.max(4, word.length / 2)),
  ).length;
  return (matched / wordsOfA.length) * 0.95;
}

function wordsOf(name: string): string[] {
  return name
    .split(/(?=[A-Z])|[-_ .]/)
    .filter((word) => word !== "")
    .map((word) => word.toLowerCase());
}

function commonPrefix(a: string, b: string): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++;
  return length;
}
