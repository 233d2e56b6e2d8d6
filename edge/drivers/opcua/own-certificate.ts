import { hostname } from "node:os";
import { OPCUACertificateManager, type OPCUACertificateManagerOptions } from "node-opcua-certificate-manager";

/** Longest common name of a certificate (RFC 5280, ub-common-name). */
const COMMON_NAME_CHARACTERS_MAX = 64;

/**
 * The certificate store of this box. The library makes the box's own certificate at the first secured connection, under
 * its lock and with its key; only the subject is ours, because the administrator of a machine must recognise it in a list.
 * A certificate that exists is used as it is: a server that trusts it must not be asked again.
 */
export class OwnCertificates extends OPCUACertificateManager {
  readonly #applicationName: string;

  constructor(applicationName: string, options: OPCUACertificateManagerOptions) {
    super(options);
    this.#applicationName = applicationName;
  }

  override createSelfSignedCertificate(
    params: Parameters<OPCUACertificateManager["createSelfSignedCertificate"]>[0],
  ): Promise<void> {
    return super.createSelfSignedCertificate({ ...params, subject: subjectOf(this.#applicationName, hostname()) });
  }
}

/** "/" and "=" divide the parts of a subject, so a name can't hold them. */
export function subjectOf(applicationName: string, host: string): string {
  const commonName = `${applicationName}@${host}`.replaceAll(/[/=]/g, "-").slice(0, COMMON_NAME_CHARACTERS_MAX);
  return `/CN=${commonName}/O=Tailstock`;
}
