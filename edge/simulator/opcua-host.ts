import { join } from "node:path";
import { MessageSecurityMode, OPCUAServer, type OPCUAServerOptions, SecurityPolicy } from "node-opcua";
import { EdgeError, messageOf } from "../kernel/errors.ts";
import type { Pki } from "./pki.ts";

export interface OpcuaHostOptions {
  readonly port: number;
  /** "/UA/Line" */
  readonly resourcePath: string;
  readonly applicationUri: string;
  readonly productName: string;
  readonly populate: (server: OPCUAServer) => void;
}

/** Sessions of the tests, the runtime, a technician's tool and a benchmark; more are refused, as a real control does. */
const SESSIONS_MAX = 32;

/**
 * Starts an OPC UA server on loopback that offers None and Basic256Sha256 SignAndEncrypt to anonymous users.
 * @throws EdgeError PORT_IN_USE
 */
export async function startOpcuaHost(options: OpcuaHostOptions, pki: Pki): Promise<OPCUAServer> {
  const serverOptions: OPCUAServerOptions & { hostname: string } = {
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    port: options.port,
    resourcePath: options.resourcePath,
    alternateHostname: ["127.0.0.1", "localhost"],
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: true,
    maxConnectionsPerEndpoint: SESSIONS_MAX,
    serverCertificateManager: pki.certificates,
    userCertificateManager: pki.userCertificates,
    certificateFile: join(pki.certificates.rootDir, "own", "certs", "simulator.pem"),
    serverInfo: { applicationUri: options.applicationUri, productUri: "urn:tailstock:simulator" },
    buildInfo: { productName: options.productName, manufacturerName: "Tailstock simulator" },
    serverCapabilities: { maxSessions: SESSIONS_MAX },
  };
  const server = new OPCUAServer(serverOptions);
  await server.initialize();
  options.populate(server);
  try {
    await server.start();
  } catch (error) {
    await server.shutdown(0).catch(() => undefined);
    throw portError(options.port, error);
  }
  return server;
}

/** The port that the system gave when 0 was asked for. */
export function portOf(server: OPCUAServer): number {
  return server.endpoints[0]?.port ?? 0;
}

/** What a listening socket's failure means for a person. */
export function portError(port: number, error: unknown): EdgeError {
  return new EdgeError("PORT_IN_USE", `The simulator can't listen on 127.0.0.1:${port}: ${messageOf(error)}`, {
    cause: error,
    hint: "Choose another port, or 0 for a free one; see who listens with `ss -ltnp`.",
  });
}
