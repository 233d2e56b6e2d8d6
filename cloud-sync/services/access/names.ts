import { Failure } from "../http/failure.ts";

const NAME_CHARACTERS_MAX = 64;

/** Names of accounts and tokens stand as authors in events for ever: short, visible, on one line. @throws Failure 400 */
export function checkName(name: string, what: string): string {
  const trimmed = name.normalize("NFC").trim();
  if (!/^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._@+'-]*$/u.test(trimmed) || [...trimmed].length > NAME_CHARACTERS_MAX)
    throw new Failure(
      400,
      "NAME_REFUSED",
      `${what} has 1 to ${NAME_CHARACTERS_MAX} letters, digits, blanks and . _ @ + ' -, and begins with a letter or digit`,
    );
  return trimmed;
}

/** The same for all ways to write a name. */
export function loginOf(name: string): string {
  return name.normalize("NFKC").trim().toLowerCase();
}
