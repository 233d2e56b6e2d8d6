import { EndpointDescription, MessageSecurityMode, SecurityPolicy } from "node-opcua-client";
import { expect, test } from "vitest";
import { EdgeError } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { chooseEndpoint } from "./endpoint.ts";

const offer = (mode: keyof typeof MessageSecurityMode, policy: keyof typeof SecurityPolicy) =>
  new EndpointDescription({ securityMode: MessageSecurityMode[mode], securityPolicyUri: SecurityPolicy[policy] });
const OFFERS = [
  offer("None", "None"),
  offer("Sign", "Aes256_Sha256_RsaPss"),
  offer("SignAndEncrypt", "Basic128Rsa15"),
  offer("SignAndEncrypt", "Aes128_Sha256_RsaOaep"),
  offer("SignAndEncrypt", "Basic256Sha256"),
];

test.each([
  ["sign-and-encrypt", "auto", "Basic256Sha256"],
  ["sign", "auto", "Aes256_Sha256_RsaPss"],
  ["sign-and-encrypt", "Aes128_Sha256_RsaOaep", "Aes128_Sha256_RsaOaep"],
  ["sign-and-encrypt", "Basic128Rsa15", "Basic128Rsa15"],
  ["none", "auto", "None"],
] as const)("mode %s, policy %s takes %s", (mode, policy, expected) => {
  expect(chooseEndpoint(OFFERS, { mode, policy, trust: "explicit" }).securityPolicy).toBe(SecurityPolicy[expected]);
});

test.each([
  [OFFERS.slice(0, 1), "sign-and-encrypt", "auto", StatusCode.BadSecurityModeRejected],
  [OFFERS.slice(0, 3), "sign-and-encrypt", "auto", StatusCode.BadSecurityPolicyRejected],
  [OFFERS, "sign", "Basic256Sha256", StatusCode.BadSecurityPolicyRejected],
] as const)("nothing weaker is taken (%#)", (offers, mode, policy, statusCode) => {
  let refusal: unknown;
  try {
    chooseEndpoint(offers, { mode, policy, trust: "explicit" });
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(EdgeError);
  expect(refusal).toMatchObject({ code: "DRIVER_REFUSED", statusCode });
});
