import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import modbusSerial from "modbus-serial";
import {
  AttributeIds,
  type ClientSession,
  type DataValue,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAClient,
  SecurityPolicy,
} from "node-opcua";

/** A folder for one test file, gone afterwards. */
export async function scratchFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "tailstock-simulator-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export interface OpcuaTestClient extends AsyncDisposable {
  readonly client: OPCUAClient;
  readonly session: ClientSession;
  /** Reads "mill-01.Spindle.Speed" of the line's namespace. */
  read(name: string): Promise<DataValue>;
}

/** A real client with a session; gives up at once when nobody listens. */
export async function connectOpcua(
  endpointUrl: string,
  options: {
    readonly secure?: boolean;
    readonly pkiPath: string;
    readonly namespaceUri?: string;
    readonly retries?: boolean;
  },
): Promise<OpcuaTestClient> {
  const certificates = new OPCUACertificateManager({
    rootFolder: join(options.pkiPath, "client"),
    automaticallyAcceptUnknownCertificate: true,
    disableFileWatchers: true,
  });
  await certificates.initialize();
  const client = OPCUAClient.create({
    endpointMustExist: false,
    clientCertificateManager: certificates,
    securityMode: options.secure === true ? MessageSecurityMode.SignAndEncrypt : MessageSecurityMode.None,
    securityPolicy: options.secure === true ? SecurityPolicy.Basic256Sha256 : SecurityPolicy.None,
    connectionStrategy: { maxRetry: options.retries === true ? -1 : 0, initialDelay: 100, maxDelay: 300 },
    transportTimeout: 5000,
  });
  try {
    await client.connect(endpointUrl);
    const session = await client.createSession();
    const namespaces = await session.readNamespaceArray();
    const index = namespaces.indexOf(options.namespaceUri ?? "urn:wwi:redmond:machining");
    return {
      client,
      session,
      read: (name) => session.read({ nodeId: `ns=${index};s=${name}`, attributeId: AttributeIds.Value }),
      async [Symbol.asyncDispose]() {
        await session.close().catch(() => undefined);
        await client.disconnect().catch(() => undefined);
        await certificates.dispose();
      },
    };
  } catch (error) {
    await client.disconnect().catch(() => undefined);
    await certificates.dispose();
    throw error;
  }
}

type ModbusClient = InstanceType<typeof modbusSerial.default>;

/** A real Modbus TCP client that speaks to one unit. */
export async function connectModbus(port: number, unitId: number): Promise<ModbusClient & AsyncDisposable> {
  const client = new modbusSerial.default();
  await client.connectTCP("127.0.0.1", { port });
  client.setID(unitId);
  client.setTimeout(2000);
  return Object.assign(client, {
    // The library never answers a close of what the server has closed already.
    [Symbol.asyncDispose]: async () => {
      if (client.isOpen) await new Promise<void>((resolve) => client.close(() => resolve()));
    },
  });
}

/** Whether anybody accepts connections there now. */
export async function isListening(port: number): Promise<boolean> {
  const socket = createConnection({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Polls until true. @throws Error naming what was awaited after the given time */
export async function until(what: string, condition: () => boolean | Promise<boolean>, ms = 8000): Promise<void> {
  const deadlineMs = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`Not within ${ms} ms: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
