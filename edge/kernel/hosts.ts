import { isIP } from "node:net";

/** Whether a name or address stands for this machine alone. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (isIP(bare) === 4) return bare.startsWith("127.");
  return bare === "localhost" || bare === "::1";
}

/** The name in a Host header, without its port. */
export function hostNameOf(header: string): string {
  return header.replace(/:\d*$/, "");
}
