import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OPCUACertificateManager } from "node-opcua";

/** Shown wherever a client lists the servers that it trusts. */
const SUBJECT = "/CN=Tailstock simulator/O=Tailstock";

class SimulatorCertificates extends OPCUACertificateManager {
  override createSelfSignedCertificate(
    params: Parameters<OPCUACertificateManager["createSelfSignedCertificate"]>[0],
  ): Promise<void> {
    return super.createSelfSignedCertificate({ ...params, subject: SUBJECT });
  }
}

/** The certificate store of a simulated server. Its RSA key and self-signed certificate are made at the first start. */
export interface Pki extends AsyncDisposable {
  readonly certificates: OPCUACertificateManager;
  readonly userCertificates: OPCUACertificateManager;
}

/**
 * Opens the store, in a folder of its own that is removed at the end when none is given. Every client certificate is
 * accepted, which is right for a demo on loopback and nowhere else: a real server has a person who trusts it first.
 */
export async function openPki(pkiPath: string | undefined): Promise<Pki> {
  const root = pkiPath ?? (await mkdtemp(join(tmpdir(), "tailstock-simulator-")));
  await mkdir(root, { recursive: true });
  const open = async (name: string): Promise<OPCUACertificateManager> => {
    const manager = new SimulatorCertificates({
      rootFolder: join(root, name),
      automaticallyAcceptUnknownCertificate: true,
      disableFileWatchers: true,
    });
    await manager.initialize();
    return manager;
  };
  const certificates = await open("server");
  const userCertificates = await open("users");
  return {
    certificates,
    userCertificates,
    async [Symbol.asyncDispose]() {
      await Promise.all([certificates.dispose(), userCertificates.dispose()]);
      if (pkiPath === undefined) await rm(root, { recursive: true, force: true });
    },
  };
}
