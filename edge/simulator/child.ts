import { setWarningLogger } from "node-opcua";

/** node-opcua warns on stdout, which belongs to the ready line. */
export function keepStdoutClean(): void {
  setWarningLogger((...args: unknown[]) => console.error(...args));
  console.log = console.error;
  console.info = console.error;
}
