import { Command } from "commander";
import { EdgeError } from "../../kernel/errors.ts";
import type { Cli } from "../cli.ts";
import { parseEndpoint } from "../endpoint.ts";
import { type OpcuaOptions, withOpcuaOptions } from "../opcua-options.ts";
import { readModbus } from "../read-modbus.ts";
import { readOpcua } from "../read-opcua.ts";

interface ReadOptions extends OpcuaOptions {
  readonly expect?: string;
  readonly unit?: string;
}

export function readCommand(cli: Cli): Command {
  return withOpcuaOptions(new Command("read"))
    .description("reads values straight from a device, without a configuration")
    .argument("<endpoint>", "opc.tcp://host:port/path, modbus+tcp://host:port?unitId=1, modbus+rtu:///dev/ttyUSB0")
    .argument("<what...>", "node ids, or registers such as holding:100:float32:CDAB or holding:100x4")
    .option("--unit <id>", "Modbus unit id (default: the address's ?unitId=, else 1)")
    .option("--expect <value>", "what the machine itself shows: finds the type, order, scale and address that give it")
    .action(async (endpoint: string, what: readonly string[], options: ReadOptions) => {
      const address = parseEndpoint(endpoint);
      if (address.protocol === "modbus") return readModbus(cli, address, what, options);
      if (options.expect !== undefined || options.unit !== undefined) {
        throw new EdgeError("USAGE", "--expect and --unit are for Modbus", {
          hint: "An OPC UA server says itself which type its values have.",
        });
      }
      return readOpcua(cli, address.endpointUrl, what, options);
    });
}
