import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  DataType,
  DataValue,
  type INamespace,
  MessageSecurityMode,
  nodesets,
  OPCUACertificateManager,
  OPCUAServer,
  type OPCUAServerOptions,
  SecurityPolicy,
  type UAVariable,
  Variant,
} from "node-opcua";
import { freePort } from "../../../kernel/free-port.ts";

export const MILLS = "urn:tailstock:test:mills";
export const OTHER = "http://other.example/UA/line/";

export interface TestServerOptions {
  readonly port?: number;
  /** Order in which the two namespaces are registered, which decides their indices. */
  readonly namespaces?: readonly string[];
  readonly server?: Partial<OPCUAServerOptions>;
  /** Adds nodes beyond the numeric signals. */
  readonly build?: (namespace: INamespace, server: OPCUAServer) => void;
  readonly values: ReadonlyMap<string, number>;
}

/** A real OPC UA server on loopback, with one Double variable "Mill.<signal>" for each value. It may be stopped and started. */
export class TestServer implements AsyncDisposable {
  port = 0;
  server: OPCUAServer | undefined;
  readonly nodes = new Map<string, UAVariable>();
  readonly values: Map<string, number>;
  readonly removed = new Set<string>();
  readonly pkiPath: string;
  namespaces: readonly string[];
  #options: TestServerOptions;

  constructor(options: TestServerOptions) {
    this.#options = options;
    this.values = new Map(options.values);
    this.namespaces = options.namespaces ?? [OTHER, MILLS];
    this.pkiPath = mkdtempSync(path.join(tmpdir(), "tailstock-server-pki-"));
  }

  get endpointUrl(): string {
    return `opc.tcp://127.0.0.1:${this.port}/UA`;
  }

  get sessions(): number {
    return this.server?.currentSessionCount ?? 0;
  }

  async start(): Promise<this> {
    this.port ||= this.#options.port ?? (await freePort());
    const certificates = new OPCUACertificateManager({
      rootFolder: this.pkiPath,
      automaticallyAcceptUnknownCertificate: true,
      disableFileWatchers: true,
    });
    const server = new OPCUAServer({
      port: this.port,
      host: "127.0.0.1",
      resourcePath: "/UA",
      hostname: "127.0.0.1",
      nodeset_filename: [nodesets.standard],
      serverCertificateManager: certificates,
      userCertificateManager: certificates,
      securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
      securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes256_Sha256_RsaPss],
      maxConnectionsPerEndpoint: 50,
      ...this.#options.server,
    });
    await server.initialize();
    const addressSpace = server.engine.addressSpace;
    if (!addressSpace) throw new Error("the test server has no address space");
    for (const uri of this.namespaces) addressSpace.registerNamespace(uri);
    const namespace = addressSpace.getNamespace(MILLS);
    const folder = namespace.addFolder("ObjectsFolder", { browseName: "Mill" });
    for (const signal of this.values.keys()) {
      if (this.removed.has(signal)) continue;
      const node = namespace.addVariable({
        componentOf: folder,
        browseName: signal,
        nodeId: `s=Mill.${signal}`,
        dataType: "Double",
        minimumSamplingInterval: 10,
        value: {
          timestamped_get: () =>
            new DataValue({
              value: new Variant({ dataType: DataType.Double, value: this.values.get(signal) ?? 0 }),
              sourceTimestamp: new Date(),
              serverTimestamp: new Date(),
            }),
        },
      });
      this.nodes.set(signal, node);
    }
    this.#options.build?.(namespace, server);
    await server.start();
    this.server = server;
    return this;
  }

  set(signal: string, value: number): void {
    this.values.set(signal, value);
  }

  /** Ends as a crash does: connections are cut, sessions are forgotten. */
  async stop(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    await server?.shutdown(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
