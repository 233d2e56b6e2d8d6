import { X509Certificate } from "node:crypto";
import { request } from "node:https";
import { expect, test } from "vitest";
import { type RunningLocalHub, runLocalHub } from "../../../test/support/local-hub.ts";
import { eventsOf } from "../../../test/support/running-hub.ts";
import { makeDeviceCertificate } from "../make-certificate.ts";
import { signSas } from "../sas.ts";

interface Post {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly tls?: { readonly cert: string; readonly key: string };
}

function post(
  { local, ca }: RunningLocalHub,
  { path = "/devices/mill/messages/events", headers, body, tls }: Post,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = new URL(path, local.addresses.https);
    const asked = request(url, { method: "POST", ca, ...tls, headers }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0));
    });
    asked.on("error", reject).end(body);
  });
}

function tokenOf({ local }: RunningLocalHub, deviceId: string, expiresMs = Date.now() + 60_000): string {
  const { primaryKey } = local.hub.registry.get({ deviceId })?.authentication.symmetricKey ?? {};
  return signSas(`localhost/devices/${deviceId}`, primaryKey ?? "", expiresMs);
}

test("an event by HTTP is stored with its properties before it is answered; a batch is many", async () => {
  const running = await runLocalHub({ deviceIds: ["mill"] });
  const authorization = tokenOf(running, "mill");
  const headers = {
    authorization,
    "iothub-app-Kind": "a",
    "IoTHub-MessageId": "m-1",
    "content-type": "application/json",
  };
  expect(await post(running, { headers, body: "not json" })).toBe(204);
  const batch = [
    { body: Buffer.from("one").toString("base64"), properties: { "iothub-app-n": "1" } },
    { body: "two", base64Encoded: false },
  ];
  const type = { authorization, "content-type": "application/vnd.microsoft.iothub.json" };
  expect(await post(running, { headers: type, body: JSON.stringify(batch) })).toBe(204);
  expect(
    eventsOf(running.local.hub).map(({ body, properties, system }) => [body.toString(), properties, system]),
  ).toEqual([
    ["not json", { Kind: "a" }, { messageId: "m-1" }],
    ["one", { n: "1" }, {}],
    ["two", {}, {}],
  ]);
  expect(await post(running, { headers: type, body: "{}" })).toBe(400);
  expect(await post(running, { headers, body: Buffer.alloc(256 * 1024 + 1) })).toBe(413);
  expect(await post(running, { headers, body: Buffer.alloc(2 * 1024 * 1024) })).toBe(413);
});

test("nobody sends for another device, with an old token, or without one; a certificate does as well", async () => {
  const running = await runLocalHub({ deviceIds: ["mill", "lathe"] });
  const { hub } = running.local;
  expect(await post(running, { headers: { authorization: tokenOf(running, "lathe") } })).toBe(401);
  expect(await post(running, { headers: { authorization: tokenOf(running, "mill", Date.now() - 5_000) } })).toBe(401);
  expect(await post(running, {})).toBe(401);
  const made = await makeDeviceCertificate(undefined, { commonName: "x", days: 1, nowMs: Date.now() });
  hub.registry.create(
    { deviceId: "x" },
    {
      authentication: {
        type: "selfSigned",
        symmetricKey: { primaryKey: null, secondaryKey: null },
        x509Thumbprint: {
          primaryThumbprint: new X509Certificate(made.certificate).fingerprint256.replaceAll(":", ""),
          secondaryThumbprint: null,
        },
      },
    },
  );
  const tls = { cert: made.certificate, key: made.key };
  expect(await post(running, { path: "/devices/x/messages/events", tls, body: "by certificate" })).toBe(204);
  expect(await post(running, { path: "/devices/mill/messages/events", tls })).toBe(401);
  expect(eventsOf(hub).map(({ body }) => body.toString())).toEqual(["by certificate"]);
});
