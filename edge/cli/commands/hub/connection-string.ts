import { Command } from "commander";
import { readHubConnections } from "../../../../cloud-sync/hub/hub-file.ts";
import { EdgeError } from "../../../kernel/errors.ts";
import type { Cli } from "../../cli.ts";
import { connectionStringOf } from "./devices.ts";
import { findHub, type HubFolderOptions, withHubFolder } from "./hub-folder.ts";
import { withIdentities } from "./hub-identities.ts";

interface ConnectionStringOptions extends HubFolderOptions {
  readonly policy: string;
  readonly events?: boolean;
}

export function connectionStringCommand(cli: Cli): Command {
  return withHubFolder(new Command("connection-string"))
    .description("how a device gets in, or without one, a service; it holds a key")
    .argument("[device]", "its id")
    .option("--policy <name>", "of a service: iothubowner, service, device, registryRead, registryReadWrite", "service")
    .option("--events", "of a service that reads events (Event Hubs protocol)")
    .action(async (deviceId: string | undefined, options: ConnectionStringOptions) => {
      const hub = findHub(cli, options);
      const connectionString =
        deviceId === undefined
          ? ofService(hub.addresses.connections, options)
          : await withIdentities(cli, hub, async (identities) =>
              connectionStringOf(await identities.get(deviceId), hub.addresses),
            );
      await cli.output.result({ connectionString, ca: hub.addresses.ca }, () => [connectionString]);
    });
}

function ofService(path: string, { policy, events = false }: ConnectionStringOptions): string {
  const connections = readHubConnections(path);
  const found = events ? (connections.eventsPlain ?? connections.events) : connections.policies[policy];
  if (found !== undefined && found !== null) return found;
  throw new EdgeError("USAGE", events ? "the hub does not serve events" : `there is no policy "${policy}"`, {
    hint: `Known: ${Object.keys(connections.policies).join(", ")}.`,
  });
}
