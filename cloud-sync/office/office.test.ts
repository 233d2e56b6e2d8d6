import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { freePort } from "../../edge/kernel/free-port.ts";
import { Client, TestOffice } from "../../test/support/office.ts";
import { type RawRequest, rawRequest } from "../../test/support/raw-request.ts";
import { Database } from "../database/database.ts";
import { createAccess } from "../services/access/access-control.ts";
import { HttpComponent } from "../services/http/http-component.ts";
import { queryRoutes } from "../services/query/service.ts";
import { createOffice } from "./create-office.ts";

let office: TestOffice;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tailstock-test-"));
  const webRoot = join(folder, "dist");
  mkdirSync(join(webRoot, "assets"), { recursive: true });
  writeFileSync(join(webRoot, "index.html"), "<!doctype html><title>Office</title>");
  writeFileSync(join(webRoot, "assets", "app-1a2b.js"), "export {};");
  writeFileSync(join(webRoot, "..", "secret.txt"), "secret");
  office = await TestOffice.start({ office: { webRoot } });
});
afterAll(async () => {
  await office[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const raw = (path: string, options: RawRequest = {}) => rawRequest(office.url, path, options);

describe("the server", () => {
  test("does not answer to foreign names (DNS rebinding)", async () => {
    for (const host of ["evil.example", "evil.example:8090", "127.0.0.1.evil.example", "[::2]"])
      expect([host, (await raw("/api/session", { headers: { host } })).status]).toEqual([host, 421]);
    for (const host of ["localhost", "127.0.0.1:8090", "[::1]:1"])
      expect([host, (await raw("/", { headers: { host } })).status]).toEqual([host, 200]);
  });

  test("every answer has the headers that keep a page to itself", async () => {
    for (const path of ["/", "/api/session", "/api/nothing", "/api/command/openapi.json", "/assets/app-1a2b.js"]) {
      const { headers } = await raw(path);
      expect([path, headers["x-content-type-options"], headers["x-frame-options"]]).toEqual([path, "nosniff", "DENY"]);
      expect(headers["content-security-policy"]).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    }
  });

  test("the page is at every address of its own, and nothing else of the disk", async () => {
    for (const path of ["/", "/machines/redmond%2Fmill-07", "/reports?from=1"])
      expect((await raw(path)).body).toContain("<title>Office</title>");
    expect((await raw("/assets/app-1a2b.js")).headers["cache-control"]).toMatch(/immutable/);
    for (const path of [
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/..%2fsecret.txt",
      "/assets/..%5c..%5csecret.txt",
      "/assets/none.js",
    ])
      expect([path, (await raw(path)).status, (await raw(path)).body.includes("secret\n")]).toEqual([
        path,
        expect.toSatisfy((status) => status >= 400),
        false,
      ]);
    expect((await raw("/api/none")).body).toContain('"error":"NOT_FOUND"');
    expect((await raw("/somewhere", { method: "POST" })).status).toBe(404);
    expect(JSON.parse((await raw("/api/command/note/%ff")).body)).toMatchObject({
      error: "FST_ERR_BAD_URL",
      hint: null,
    });
  });

  test("without its database it says so", async () => {
    const { clock, logger } = office;
    const gate = new Database({ url: office.database.url.replace(/:\d+\//, `:${await freePort()}/`) });
    const access = createAccess({ database: gate, config: { secure: false }, clock, logger });
    const app = createOffice({ access, clock, logger, webRoot: "/nowhere" });
    const headers = { authorization: `Bearer tlst_${"x".repeat(43)}`, host: "localhost" };
    for (const url of ["/api/session", "/api/health"]) {
      const answer = await app.inject({ url, headers });
      expect([url, answer.statusCode, answer.json().error]).toEqual([url, 503, "DATABASE_UNAVAILABLE"]);
      expect(answer.headers["retry-after"]).toBe("5");
    }
    await app.close();
    await gate[Symbol.asyncDispose]();
  });

  test("the query service stands beside the others", async () => {
    const { access, clock, logger } = office;
    const query = queryRoutes({ database: office.database.database, access, clock, logger });
    const app = createOffice({ access, clock, logger, query, webRoot: "/nowhere" });
    const address = await app.listen({ host: "127.0.0.1", port: 0 });
    const nobody = new Client(address);
    expect((await nobody.get("/api/query/overview")).status).toBe(401);
    const program = new Client(address, await access.tokens.add({ name: "reader", role: "viewer" }, "test"));
    expect((await program.get("/api/query/overview")).status).toBe(200);
    expect((await program.get("/api/query/openapi.json")).body.info.title).toMatch(/query/);
    expect((await program.get("/api/query/none")).body.error).toBe("NOT_FOUND");
    const mirror = new Client(
      address,
      await access.tokens.add({ name: "one", role: "viewer", factoryId: "f" }, "test"),
    );
    expect((await mirror.get("/api/query/overview")).body.error).toBe("FACTORY_ONLY");
    await app.close();
  });

  test("is well, and describes itself", async () => {
    expect((await raw("/api/health")).body).toBe('{"status":"ok"}');
    const { paths } = JSON.parse((await raw("/api/openapi.json")).body);
    expect(Object.keys(paths)).toContain("/api/accounts/{id}");
  });

  test("a flood from one address is refused for a while", async () => {
    const statuses = await Promise.all(Array.from({ length: 320 }, () => raw("/api/session", { from: "127.0.0.9" })));
    const refused = statuses.filter(({ status }) => status === 429);
    expect(refused.length).toBe(20);
    expect(JSON.parse(refused[0]?.body ?? "{}")).toMatchObject({ error: "TOO_MANY_REQUESTS" });
    expect(Number(refused[0]?.headers["retry-after"])).toBeGreaterThan(0);
  });

  test("listens where others can reach it only behind a proxy that speaks TLS", async () => {
    const { access, clock, logger } = office;
    const create = () => createOffice({ access, clock, logger, webRoot: "/nowhere" });
    const component = (host: string, port: number, behindProxy: boolean) =>
      new HttpComponent({ name: "office", create, host, port, behindProxy, logger });
    const error: unknown = await component("0.0.0.0", 0, false)
      .run(new AbortController().signal, () => undefined)
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(EdgeError);
    expect(error).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining("in the clear") });
    const port = Number(new URL(office.url).port);
    await expect(
      component("127.0.0.1", port, false).run(new AbortController().signal, () => undefined),
    ).rejects.toMatchObject({
      code: "PORT_IN_USE",
    });
    const stop = new AbortController();
    const open = component("0.0.0.0", 0, true);
    const { promise, resolve } = Promise.withResolvers<void>();
    const running = open.run(stop.signal, resolve);
    await promise;
    const answer = await fetch(`${open.address?.replace("0.0.0.0", "127.0.0.1")}/api/health`);
    expect(answer.status).toBe(200);
    stop.abort();
    await running;
    expect(open.address).toBeUndefined();
  });
});
