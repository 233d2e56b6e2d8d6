import { conditionOf } from "../../cloud-sync/uplink/condition.ts";
import { uplinkStatePathOf } from "../../cloud-sync/uplink/state/schema.ts";
import { openUplinkStateReader } from "../../cloud-sync/uplink/state/state-reader.ts";
import { loadConfig } from "../../edge/kernel/config/load.ts";

// The container's health check: healthy while the uplink writes its status. A line that is cut, or a hub that refuses, is no
// fault of the process, and a restart would mend neither.
const { TAILSTOCK_CONFIG = "/data/tailstock.yaml" } = process.env;
const { config } = await loadConfig(TAILSTOCK_CONFIG);
using reader = openUplinkStateReader(uplinkStatePathOf(config.log.path));
const status = reader.status();
const word = status === undefined ? "nothing said yet" : conditionOf(status, Date.now());
const isWell = config.uplink === undefined || (status !== undefined && word !== "silent" && word !== "stopped");
process.stdout.write(`${config.uplink === undefined ? "no uplink is configured" : word}\n`);
process.exit(isWell ? 0 : 1);
