/** Sites, machines, connections, types and signals share one grammar: it is safe in ids, file names, URLs and CSV. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const NAME_HINT =
  "names begin with a letter or digit, go on with letters, digits, dot, underscore or hyphen, and have at most 64 characters; other text belongs in title";

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** The box's own stream is "<site>/edge" (see cloud-sync/contract/event.ts), so no machine may have this name. */
export const RESERVED_MACHINE_NAME = "edge";
