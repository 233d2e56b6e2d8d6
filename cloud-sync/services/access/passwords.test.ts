import { expect, test } from "vitest";
import { checkPassword, newPassword, Passwords } from "./passwords.ts";

const COST = 4_096;

test("a hash holds its parameters, a salt of its own, and not the password", async () => {
  const passwords = new Passwords(COST);
  const [one, other] = [await passwords.hash("open sesame, please"), await passwords.hash("open sesame, please")];
  expect(one).toMatch(/^scrypt\$4096\$8\$2\$[\w-]{22}\$[\w-]{43}$/);
  expect(other).not.toBe(one);
  expect(await passwords.verify("open sesame, please", one)).toEqual({ isRight: true, isOld: false });
  expect(await passwords.verify("open sesame, pleasE", one)).toEqual({ isRight: false, isOld: false });
  // The same letters, however a keyboard composes them.
  const composed = await passwords.hash("Zürich am See");
  expect((await passwords.verify("Zu\u0308rich am See", composed)).isRight).toBe(true);
});

test("dearer parameters take the old hashes, and say that they are old", async () => {
  const old = await new Passwords(1_024).hash("open sesame, please");
  expect(await new Passwords(COST).verify("open sesame, please", old)).toEqual({ isRight: true, isOld: true });
});

test.each(["", "scrypt$", "scrypt$1024$8$1$$", "plain", "scrypt$1024$8$2$c2FsdA$"])(
  "a hash that is none lets nobody in: %j",
  async (encoded) => {
    expect((await new Passwords(1_024).verify("", encoded)).isRight).toBe(false);
  },
);

test("a name that is not known takes as long as one that is", async () => {
  const passwords = new Passwords(2 ** 15);
  const hash = await passwords.hash("open sesame, please");
  const fastest = async (encoded: string | undefined): Promise<number> => {
    let least = Number.POSITIVE_INFINITY;
    for (let turn = 0; turn < 4; turn++) {
      const since = performance.now();
      await passwords.verify("wrong", encoded);
      least = Math.min(least, performance.now() - since);
    }
    return least;
  };
  const ratio = (await fastest(undefined)) / (await fastest(hash));
  expect(ratio).toBeGreaterThan(0.5);
  expect(ratio).toBeLessThan(2);
});

test("a few are computed at once, a bounded number waits, the rest is told to come later", async () => {
  const passwords = new Passwords(1_024);
  const results = await Promise.allSettled(Array.from({ length: 100 }, () => passwords.hash("open sesame, please")));
  const refused = results.filter(({ status }) => status === "rejected");
  expect(refused).toHaveLength(100 - 66);
  expect(refused[0]).toMatchObject({ reason: { statusCode: 503, headers: { "retry-after": "5" } } });
  await expect(passwords.hash("open sesame, please")).resolves.toMatch(/^scrypt/);
});

test("passwords that are made are good ones, and differ", () => {
  const made = Array.from({ length: 100 }, newPassword);
  expect(new Set(made).size).toBe(100);
  for (const password of made) expect(() => checkPassword(password, "administrator")).not.toThrow();
});
