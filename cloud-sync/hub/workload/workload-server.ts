import { createHmac, X509Certificate } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import Fastify, { type FastifyInstance } from "fastify";
import { HubError } from "../hub-error.ts";
import type { Certificate } from "../make-certificate.ts";
import { makeDeviceCertificate, makeServerCertificate } from "../make-certificate.ts";
import type { Hub, RegistryEntry } from "../ports.ts";
import { addFailures } from "../rest/plugins/failures.ts";

const PAGE_DEVICES = 200;
const DAYS_MAX = 90;
const DAY_MS = 86_400_000;

const SignParams = Type.Object({ name: Type.String(), generation: Type.String() });
const SignBody = Type.Object({ keyId: Type.Optional(Type.String()), algo: Type.String(), data: Type.String() });
const ServerBody = Type.Object({ commonName: Type.String(), expiration: Type.Optional(Type.String()) });
const IdentityBody = Type.Optional(
  Type.Union([Type.Object({ expiration: Type.Optional(Type.String()) }), Type.Null()]),
);

export interface WorkloadOptions {
  /** Signs the certificates that modules ask for, and is what they trust. */
  readonly authority: Certificate;
  /** A port of loopback (0 is any free one), or the path of a unix socket, which only its owner may use. */
  readonly at: { readonly port: number } | { readonly socketPath: string };
}

/**
 * The IoT Edge workload API (version 2018-06-28 and later): modules get from it what they trust, and have their tokens
 * signed by a key that they never see. The hub plays the gateway of its edge devices, so it knows those keys.
 * @returns the address for IOTEDGE_WORKLOADURI, and what closes it
 */
export async function startWorkload(
  hub: Hub,
  { authority, at }: WorkloadOptions,
): Promise<{ readonly uri: string; close(): Promise<void> }> {
  const app: FastifyInstance = Fastify({ forceCloseConnections: true, logger: false });
  addFailures(app);
  await app.register(workloadRoutes(hub, authority));
  if ("port" in at) {
    const address = await app.listen({ host: "127.0.0.1", port: at.port });
    return { uri: address, close: () => app.close() };
  }
  // What an earlier hub left behind when it was killed.
  rmSync(at.socketPath, { force: true });
  await app.listen({ path: at.socketPath });
  chmodSync(at.socketPath, 0o600);
  return { uri: `unix://${at.socketPath}`, close: () => app.close() };
}

function workloadRoutes(hub: Hub, authority: Certificate): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get("/trust-bundle", () => ({ certificate: authority.certificate }));
    app.post("/modules/:name/genid/:generation/sign", { schema: { params: SignParams, body: SignBody } }, (request) => {
      const { keyId = "primary", algo, data } = request.body;
      if (algo.toUpperCase() !== "HMACSHA256")
        throw new HubError("ArgumentInvalid", `no signature algorithm "${algo}"`);
      const { primaryKey, secondaryKey } = moduleOf(hub, request.params).authentication.symmetricKey;
      const key = keyId === "secondary" ? secondaryKey : primaryKey;
      if (key === null) throw new HubError("ArgumentInvalid", "the module does not prove itself by a key");
      const hmac = createHmac("sha256", Buffer.from(key, "base64"));
      return { digest: hmac.update(Buffer.from(data, "base64")).digest("base64") };
    });
    app.post(
      "/modules/:name/genid/:generation/certificate/server",
      { schema: { params: SignParams, body: ServerBody } },
      async (request, reply) => {
        moduleOf(hub, request.params);
        const { commonName, expiration } = request.body;
        const lifetime = lifetimeOf(expiration, hub.clock.nowMs());
        return reply.code(201).send(answerOf(await makeServerCertificate(authority, lifetime, [commonName])));
      },
    );
    app.post(
      "/modules/:name/genid/:generation/certificate/identity",
      { schema: { params: SignParams, body: IdentityBody } },
      async (request, reply) => {
        const { deviceId, moduleId } = moduleOf(hub, request.params);
        const lifetime = lifetimeOf(request.body?.expiration, hub.clock.nowMs());
        const made = await makeDeviceCertificate(authority, { commonName: `${deviceId}/${moduleId}`, ...lifetime });
        return reply.code(201).send(answerOf(made));
      },
    );
  };
}

/** A module knows itself by its name and its generation, which is unique. @throws HubError ModuleNotFound */
function moduleOf(hub: Hub, { name, generation }: { name: string; generation: string }): RegistryEntry {
  let after: string | undefined;
  for (;;) {
    const page = hub.registry.devices(PAGE_DEVICES, after);
    for (const { deviceId, capabilities } of page) {
      if (!capabilities.iotEdge) continue;
      const entry = hub.registry.get({ deviceId, moduleId: name });
      if (entry?.generationId === generation) return entry;
    }
    if (page.length < PAGE_DEVICES) break;
    after = page.at(-1)?.deviceId;
  }
  throw new HubError("ModuleNotFound", `no edge device has a module ${name} of generation ${generation}`);
}

function lifetimeOf(expiration: string | undefined, nowMs: number): { days: number; nowMs: number } {
  const days = expiration === undefined ? DAYS_MAX : (Date.parse(expiration) - nowMs) / DAY_MS;
  if (!(days > 0)) throw new HubError("ArgumentInvalid", `expiration is "${expiration}", which is no time to come`);
  return { days: Math.min(days, DAYS_MAX), nowMs };
}

function answerOf({ certificate, key }: Certificate): object {
  const expiration = new X509Certificate(certificate).validToDate.toISOString();
  return { privateKey: { type: "key", bytes: key }, certificate, expiration };
}
