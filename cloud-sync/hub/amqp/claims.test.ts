import { expect, test } from "vitest";
import type { AccessPolicies, AccessPolicy } from "../ports.ts";
import { signSas } from "../sas.ts";
import { Claims, claimOfPassword, claimOfToken } from "./claims.ts";

const key = (fill: number): string => Buffer.alloc(32, fill).toString("base64");
const known: AccessPolicy[] = [
  { name: "service", primaryKey: key(1), secondaryKey: key(2), rights: ["ServiceConnect"] },
  { name: "device", primaryKey: key(3), secondaryKey: key(4), rights: ["DeviceConnect"] },
];
const policies: AccessPolicies = { all: () => known, get: (name) => known.find((policy) => policy.name === name) };
const NOW_MS = 1_800_000_000_000;
/** As Event Hubs' clients sign: with the characters of the key. */
const characters = (text: string): string => Buffer.from(text).toString("base64");

test("either key of a policy signs, decoded or as it is written", () => {
  for (const signer of [key(1), key(2), characters(key(1)), characters(key(2))]) {
    const token = signSas("sb://hub:5671/shop/Partitions/1", signer, NOW_MS + 5_000, "service");
    expect(claimOfToken(token, policies, NOW_MS)).toEqual({
      policy: "service",
      rights: ["ServiceConnect"],
      path: "shop/Partitions/1",
      expiresMs: NOW_MS + 5_000,
    });
  }
  const ofHub = signSas("localhost", key(1), NOW_MS + 5_000, "service");
  expect(claimOfToken(ofHub, policies, NOW_MS).path).toBe("");
});

test("what is wrong with a token is said", () => {
  const of = (token: string) => () => claimOfToken(token, policies, NOW_MS);
  expect(of("Bearer x")).toThrow("not a shared access signature");
  expect(of(signSas("hub", key(1), NOW_MS + 5_000))).toThrow("names no shared access policy");
  expect(of(signSas("hub", key(1), NOW_MS + 5_000, "root"))).toThrow("no shared access policy 'root'");
  expect(of(signSas("hub", key(3), NOW_MS + 5_000, "service"))).toThrow("does not fit shared access policy 'service'");
  expect(of(signSas("hub", key(1), NOW_MS - 5_000, "service"))).toThrow("expired at 2027-01-15T07:59:55.000Z");
  const altered = signSas("hub", key(1), NOW_MS - 5_000, "service").replace(/se=\d+/, `se=${NOW_MS / 1_000 + 60}`);
  expect(of(altered)).toThrow("altered token");
  expect(() => claimOfPassword("device@sas.root.hub", key(1), policies, NOW_MS)).toThrow("wrong key");
  const token = signSas("hub", key(2), NOW_MS + 5_000, "service");
  expect(claimOfPassword("service@sas.root.hub", token, policies, NOW_MS).expiresMs).toBe(NOW_MS + 5_000);
  expect(claimOfPassword("device@sas.root.hub", key(4), policies, NOW_MS).rights).toEqual(["DeviceConnect"]);
});

test("a claim opens its path and what is under it, until it ends or is renewed", () => {
  const claims = new Claims();
  const put = (resource: string, seconds: number, policy = "service", signer = key(1)): void =>
    claims.put(claimOfToken(signSas(resource, signer, NOW_MS + seconds * 1_000, policy), policies, NOW_MS), NOW_MS);
  const demand =
    (path: string, seconds = 0) =>
    () =>
      claims.demand(path, "ServiceConnect", NOW_MS + seconds * 1_000);
  expect(demand("shop")).toThrow("no token was put for 'shop'");
  put("sb://hub/shop", 10);
  demand("shop")();
  demand("SHOP/ConsumerGroups/$Default/Partitions/3")();
  expect(demand("shopping")).toThrow("no token was put");
  expect(demand("messages/devicebound")).toThrow("no token was put");
  expect(demand("shop", 10)).toThrow("the token for 'shop' expired at 2027-01-15T08:00:10.000Z");
  put("sb://hub/shop", 20);
  demand("shop", 19)();
  put("hub", 60, "device", key(3));
  expect(demand("messages/devicebound")).toThrow("policy 'device' has no right ServiceConnect");
  demand("shop")();
});

test("a connection holds no more than a thousand claims, but those that ended make room", () => {
  const claims = new Claims();
  const claim = { policy: "service", rights: ["ServiceConnect" as const] };
  for (let index = 0; index < 1_000; index++) {
    claims.put({ ...claim, path: `p/${index}`, expiresMs: NOW_MS + index }, NOW_MS);
  }
  expect(() => claims.put({ ...claim, path: "q", expiresMs: NOW_MS + 1 }, NOW_MS - 1)).toThrow("more than 1000 tokens");
  claims.put({ ...claim, path: "q", expiresMs: NOW_MS + 9_999 }, NOW_MS + 1);
  claims.demand("q", "ServiceConnect", NOW_MS + 1);
});
