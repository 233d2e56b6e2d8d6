import { Database } from "../../cloud-sync/database/database.ts";
import { migrate, readMigrations } from "../../cloud-sync/database/migrate.ts";

// Migrates a database as a process of its own, to be killed: node migrate-child.ts URL [FOLDER]. Prints what it has applied.
const [url = "", folder] = process.argv.slice(2);
await using database = new Database({ url });
process.stdout.write(`${JSON.stringify(await migrate(database, readMigrations(folder)))}\n`);
