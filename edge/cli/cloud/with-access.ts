import { userInfo } from "node:os";
import type { Role } from "../../../cloud-sync/services/access/access.ts";
import type { AccessControl } from "../../../cloud-sync/services/access/access-control.ts";
import { EdgeError } from "../../kernel/errors.ts";
import type { Cli } from "../cli.ts";
import { type CloudOptions, withCloud } from "./with-cloud.ts";

/** Opens who may use the office, for a short command. `by` is who is written down as having changed something. */
export async function withAccess<T>(
  cli: Cli,
  options: CloudOptions,
  work: (access: AccessControl, by: string) => Promise<T>,
): Promise<T> {
  const [{ createAccess }, { Failure }] = await Promise.all([
    import("../../../cloud-sync/services/access/access-control.ts"),
    import("../../../cloud-sync/services/http/failure.ts"),
  ]);
  return withCloud(cli, options, async ({ config, database, logger }) => {
    const access = createAccess({ database, config: { secure: config.office.behindProxy }, clock: cli.clock, logger });
    try {
      return await work(access, `${userInfo().username} at the command line`);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw new EdgeError("SERVICE_REFUSED", error.message, {
        cause: error,
        ...(error.hint === null ? {} : { hint: error.hint }),
      });
    }
  });
}

/** @throws EdgeError USAGE */
export async function parseRole(text: string): Promise<Role> {
  const { ROLES } = await import("../../../cloud-sync/services/access/access.ts");
  const role = ROLES.find((known) => known === text);
  if (role !== undefined) return role;
  throw new EdgeError("USAGE", `"${text}" is no role`, { hint: `Known: ${ROLES.join(", ")}; each may do more.` });
}
