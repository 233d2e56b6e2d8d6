import type { EndpointDescription } from "node-opcua-client";
import { MessageSecurityMode, SecurityPolicy } from "node-opcua-client";
import type { OpcuaSecurity } from "../../kernel/config/model.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";

const MODE = {
  none: MessageSecurityMode.None,
  sign: MessageSecurityMode.Sign,
  "sign-and-encrypt": MessageSecurityMode.SignAndEncrypt,
} as const;

/** Strongest first. The two at the end are deprecated (SHA-1) and only taken when named in the config. */
const STRENGTH = ["Aes256_Sha256_RsaPss", "Basic256Sha256", "Aes128_Sha256_RsaOaep"] as const;

export interface ChosenEndpoint {
  readonly securityMode: MessageSecurityMode;
  readonly securityPolicy: SecurityPolicy;
  readonly serverCertificate: Buffer | null;
}

/** The endpoint to use when security is off; no discovery is needed for it. */
export const INSECURE: ChosenEndpoint = {
  securityMode: MessageSecurityMode.None,
  securityPolicy: SecurityPolicy.None,
  serverCertificate: null,
};

/**
 * Picks the endpoint of exactly the asked mode; "auto" takes the strongest policy offered in it. Never weaker than asked.
 * @throws EdgeError DRIVER_REFUSED with BadSecurityModeRejected or BadSecurityPolicyRejected, naming what is offered
 */
export function chooseEndpoint(endpoints: readonly EndpointDescription[], security: OpcuaSecurity): ChosenEndpoint {
  const securityMode = MODE[security.mode];
  const offered = endpoints.map((each) => `${MessageSecurityMode[each.securityMode]} ${policyName(each)}`).join(", ");
  const ofMode = endpoints.filter((each) => each.securityMode === securityMode);
  if (ofMode.length === 0) {
    throw new EdgeError(
      "DRIVER_REFUSED",
      `the server offers no endpoint with mode ${security.mode}; it offers ${offered || "none"}`,
      {
        statusCode: StatusCode.BadSecurityModeRejected,
        hint: "turn the mode on in the server, or set security.mode in the configuration to one that it offers",
      },
    );
  }
  const wanted: readonly string[] = security.policy === "auto" ? STRENGTH : [security.policy];
  for (const policy of security.mode === "none" ? ["None"] : wanted) {
    const match = ofMode.find((each) => policyName(each) === policy);
    if (match) {
      return {
        securityMode,
        securityPolicy: SecurityPolicy[policy as keyof typeof SecurityPolicy],
        serverCertificate: match.serverCertificate,
      };
    }
  }
  throw new EdgeError(
    "DRIVER_REFUSED",
    `the server offers no policy ${security.policy} in mode ${security.mode}; it offers ${offered}`,
    {
      statusCode: StatusCode.BadSecurityPolicyRejected,
      hint: "enable a current policy (Basic256Sha256 or newer) in the server, or name the policy in the configuration",
    },
  );
}

function policyName(endpoint: EndpointDescription): string {
  return endpoint.securityPolicyUri?.split("#")[1] ?? "None";
}
