import { X509Certificate } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { hubAuthority, hubCertificates } from "./certificates.ts";

const DAY_MS = 86_400_000;

test("made once, for all names of this machine; keys are the owner's alone", async () => {
  const folder = tempFolder();
  const clock = new ManualClock();
  const made = await hubCertificates(folder, "hub.example", clock);
  const server = new X509Certificate(made.cert);
  const authority = new X509Certificate(made.ca);
  expect(server.verify(authority.publicKey)).toBe(true);
  expect(authority.ca).toBe(true);
  for (const host of ["hub.example", "localhost"]) expect(server.checkHost(host)).toBe(host);
  for (const address of ["127.0.0.1", "::1"]) expect(server.checkIP(address)).toBe(address);
  expect(await hubCertificates(folder, "hub.example", clock)).toEqual(made);
  for (const file of ["server.key", "ca.key"]) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(folder, "server.pem"), "utf8")).toBe(made.cert);
  expect(hubAuthority(folder)?.certificate).toBe(made.ca);
});

test("the server's is renewed before its end, for another name, and when it does not fit; the authority stays", async () => {
  const folder = tempFolder();
  const clock = new ManualClock();
  const first = await hubCertificates(folder, "hub.example", clock);
  clock.jumpWall(336 * DAY_MS);
  expect((await hubCertificates(folder, "hub.example", clock)).cert).toBe(first.cert);
  clock.jumpWall(2 * DAY_MS);
  const second = await hubCertificates(folder, "hub.example", clock);
  expect(second.cert).not.toBe(first.cert);
  expect(second.ca).toBe(first.ca);
  expect(second.expiresMs - first.expiresMs).toBe(338 * DAY_MS);
  const third = await hubCertificates(folder, "other.example", clock);
  expect(new X509Certificate(third.cert).checkHost("other.example")).toBe("other.example");
  // A crash between the two files of a pair.
  writeFileSync(join(folder, "server.key"), first.key);
  const fourth = await hubCertificates(folder, "other.example", clock);
  expect(fourth.cert).not.toBe(third.cert);
  expect(fourth.ca).toBe(first.ca);
});
