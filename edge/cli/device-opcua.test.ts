import { createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MILLS, TestServer } from "../drivers/opcua/testing/opcua-server.ts";
import { runCli, temporaryFolder } from "./testing.ts";

// read, browse and certs, straight to a real OPC UA server on a loopback socket.
const values = new Map([
  ["speed", 1_450.25],
  ["load", 31.5],
]);
const server = new TestServer({ values });
beforeAll(async () => {
  await server.start();
});
afterAll(() => server.stop());

const speed = `nsu=${MILLS};s=Mill.speed`;

test("read without encryption: values, types and status; a missing node does not hide the others", async () => {
  const cwd = temporaryFolder();
  const args = ["read", server.endpointUrl, speed, "i=2258", `nsu=${MILLS};s=Mill.nothing`, "--security", "none"];
  const { code, stdout, stderr } = await runCli(args, { cwd });
  expect(stderr).toBe("");
  expect(code).toBe(1);
  expect(stdout).toMatch(/^nsu=urn:tailstock:test:mills;s=Mill\.speed +speed +1450\.25 +\S+ +[\d-]+ [\d:.]+ +Good$/m);
  expect(stdout).toMatch(/^i=2258 +CurrentTime +\d+ .*Good$/m);
  expect(stdout).toMatch(/Mill\.nothing .*BadNodeIdUnknown$/m);
  const json = await runCli(["read", server.endpointUrl, speed, "--security", "none", "--json"], { cwd });
  expect(json.code).toBe(0);
  expect(JSON.parse(json.stdout)).toMatchObject({
    mode: "none",
    nodes: [{ nodeId: speed, value: 1_450.25, status: "Good" }],
  });
});

test("browse shows a tree, and says when it stopped", async () => {
  const cwd = temporaryFolder();
  const { code, stdout } = await runCli(["browse", server.endpointUrl, "--security", "none", "--depth", "2"], { cwd });
  expect(code).toBe(0);
  const lines = stdout.split("\n");
  const mill = lines.findIndex((line) => /^[├└] Mill {2}/.test(line));
  expect(mill).toBeGreaterThanOrEqual(0);
  expect(lines.slice(mill + 1, mill + 3).join("\n")).toMatch(
    /^[│ ] ├ speed {2}nsu=urn:tailstock:test:mills;s=Mill\.speed {2}\S+ = 1450\.25\n[│ ] └ load {2}.* = 31\.5$/,
  );
  const cut = await runCli(["browse", server.endpointUrl, "--security", "none", "--limit", "3", "--json"], { cwd });
  const document = JSON.parse(cut.stdout) as { nodes: unknown[]; truncated: boolean };
  expect({ nodes: document.nodes.length, truncated: document.truncated }).toEqual({ nodes: 3, truncated: true });
});

test("secure by default: an unknown certificate is refused, listed, trusted by its thumbprint, and then used", async () => {
  const cwd = temporaryFolder();
  const read = ["read", server.endpointUrl, speed, "--json"];
  const refused = await runCli(read, { cwd });
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code: "DRIVER_REFUSED", hint: expect.any(String) } });
  const listed = await runCli(["certs", "list", "--json"], { cwd });
  const { certificates } = JSON.parse(listed.stdout) as { certificates: { place: string; thumbprint: string }[] };
  const rejected = certificates.filter(({ place }) => place === "rejected");
  expect(rejected).toHaveLength(1);
  const thumbprint = rejected[0]?.thumbprint ?? "";
  expect((await runCli(["certs", "list"], { cwd })).stdout).toContain(
    `tailstock certs trust ${thumbprint.slice(0, 8)}`,
  );
  const [, command = ""] = /then run: tailstock (.*?) \(the/.exec(refused.stderr) ?? [];
  expect(command).toContain(thumbprint);
  expect((await runCli(["certs", "trust", "00000000"], { cwd })).code).toBe(2);
  expect((await runCli(command.split(" "), { cwd })).stdout).toContain("trusted: ");
  const accepted = await runCli(read, { cwd });
  expect({ code: accepted.code, stderr: accepted.stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(accepted.stdout)).toMatchObject({
    mode: "sign-and-encrypt",
    warning: null,
    nodes: [{ value: 1_450.25 }],
  });
  const own = await runCli(["certs", "own"], { cwd });
  expect(own.stdout).toMatch(/^thumbprint +[0-9a-f]{40}$/m);
});

test("an address that nobody listens on, and another protocol at the port: one sentence each, with a hint", async () => {
  const cwd = temporaryFolder();
  const web = createServer((socket) => {
    socket.on("error", () => undefined).resume();
    socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  const bound = web.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  const wrong = await runCli(["browse", `opc.tcp://127.0.0.1:${port}`], { cwd });
  await new Promise((resolve) => web.close(resolve));
  const nobody = await runCli(["read", `opc.tcp://127.0.0.1:${port}`, "i=2258"], { cwd });
  for (const { code, stderr, stdout } of [wrong, nobody]) {
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(new RegExp(`^tailstock: .*127\\.0\\.0\\.1:${port}.*\\n {2}\\S.+\\n$`));
  }
});

test("no certificate store yet: says where it looked", async () => {
  const { code, stderr } = await runCli(["certs", "list"], { cwd: temporaryFolder() });
  expect(code).toBe(2);
  expect(stderr).toContain("data/pki");
});
