import { type Address, parseAddress } from "../kernel/config/address.ts";
import { EdgeError } from "../kernel/errors.ts";

/**
 * An address as tailstock.yaml has them: opc.tcp://, modbus+tcp://, modbus+rtu-tcp://, modbus+rtu://.
 * @throws EdgeError USAGE
 */
export function parseEndpoint(text: string): Address {
  const address = parseAddress(text);
  if ("protocol" in address) return address;
  throw new EdgeError("USAGE", address.message, { hint: address.hint });
}
