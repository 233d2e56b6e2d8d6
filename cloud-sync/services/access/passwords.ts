import { randomBytes, randomInt, scrypt, timingSafeEqual } from "node:crypto";
import { Failure } from "../http/failure.ts";

const COST = 65_536;
const BLOCK_SIZE = 8;
const PARALLEL = 2;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Hashes that are computed at once (64 MB and half a second each), and that wait. */
const HASHES_AT_ONCE = 2;
const WAITING_MAX = 64;

export const PASSWORD_CHARACTERS_MIN = 10;
export const PASSWORD_CHARACTERS_MAX = 256;

const DIFFERENT_CHARACTERS_MIN = 4;
/** Shorter names are part of many words. */
const NAME_TOLD_MIN = 4;

/** Without the letters and digits that look alike. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";
const GENERATED_GROUPS = 4;
const GENERATED_GROUP_CHARACTERS = 5;

interface Parameters {
  readonly cost: number;
  readonly blockSize: number;
  readonly parallel: number;
}

/** Hashes passwords by scrypt (RFC 7914), a few at a time; the parameters stand in each hash, so that they can be raised later. */
export class Passwords {
  readonly #parameters: Parameters;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(cost: number = COST) {
    this.#parameters = { cost, blockSize: BLOCK_SIZE, parallel: PARALLEL };
  }

  /** scrypt$N$r$p$salt$hash. @throws Failure 503 when too many wait */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    const { cost, blockSize, parallel } = this.#parameters;
    const hash = await this.#scrypt(password, salt, HASH_BYTES, this.#parameters);
    return ["scrypt", cost, blockSize, parallel, salt.toString("base64url"), hash.toString("base64url")].join("$");
  }

  /**
   * Takes the same time when there is no hash to compare with, so that it does not tell whether an account exists.
   * @throws Failure 503 when too many wait
   */
  async verify(password: string, encoded: string | undefined): Promise<{ isRight: boolean; isOld: boolean }> {
    const known = parse(encoded);
    const salt = known?.salt ?? randomBytes(SALT_BYTES);
    const parameters = known ?? this.#parameters;
    const hash = await this.#scrypt(password, salt, known?.hash.length ?? HASH_BYTES, parameters);
    const { cost, blockSize, parallel } = this.#parameters;
    return {
      isRight: known !== undefined && timingSafeEqual(hash, known.hash),
      isOld: parameters.cost !== cost || parameters.blockSize !== blockSize || parameters.parallel !== parallel,
    };
  }

  async #scrypt(password: string, salt: Buffer, bytes: number, { cost, blockSize, parallel }: Parameters) {
    if (this.#running >= HASHES_AT_ONCE) {
      if (this.#waiting.length >= WAITING_MAX)
        throw new Failure(503, "BUSY", "too many logins at once", {
          hint: "Try again in a few seconds.",
          headers: { "retry-after": "5" },
        });
      // Who ends hands its place over, so that nobody comes in between.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        const options = { N: cost, r: blockSize, p: parallel, maxmem: 256 * cost * blockSize };
        scrypt(password.normalize("NFKC"), salt, bytes, options, (error, key) =>
          error ? reject(error) : resolve(key),
        );
      });
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** @throws Failure 400 with what is wrong about it */
export function checkPassword(password: string, name: string): void {
  const characters = [...password].length;
  if (characters < PASSWORD_CHARACTERS_MIN || characters > PASSWORD_CHARACTERS_MAX)
    throw new Failure(
      400,
      "PASSWORD_REFUSED",
      `a password has ${PASSWORD_CHARACTERS_MIN} to ${PASSWORD_CHARACTERS_MAX} characters`,
    );
  const holdsName = name.length >= NAME_TOLD_MIN && password.toLowerCase().includes(name.toLowerCase());
  if (holdsName || new Set(password).size < DIFFERENT_CHARACTERS_MIN)
    throw new Failure(400, "PASSWORD_REFUSED", "this password is too easy to guess", {
      hint: "Take a few words that do not belong together, without the account's name.",
    });
}

/** About 99 bits, easy to read out. */
export function newPassword(): string {
  const group = (): string =>
    Array.from({ length: GENERATED_GROUP_CHARACTERS }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  return Array.from({ length: GENERATED_GROUPS }, group).join("-");
}

function parse(encoded: string | undefined): (Parameters & { salt: Buffer; hash: Buffer }) | undefined {
  const match = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([\w-]+)\$([\w-]+)$/.exec(encoded ?? "");
  if (match === null) return undefined;
  const [, cost, blockSize, parallel, salt = "", hash = ""] = match;
  return {
    cost: Number(cost),
    blockSize: Number(blockSize),
    parallel: Number(parallel),
    salt: Buffer.from(salt, "base64url"),
    hash: Buffer.from(hash, "base64url"),
  };
}
