import { connect } from "node:net";
import { type IPty, spawn } from "@lydell/node-pty";

export interface SerialLine extends AsyncDisposable {
  /** Path of the serial device that a driver opens. */
  readonly device: string;
  /** As if the USB adapter were pulled: the device is gone. */
  pull(): void;
}

/**
 * A serial device whose other end is a Modbus server on a socket: a pseudo terminal of the kernel, so that the driver's
 * own serial port library opens, configures and reads a real device. `sleep` holds the terminal and never reads it.
 */
export async function startSerialLine(port: number): Promise<SerialLine> {
  const pty: IPty = spawn("sleep", ["600"], { encoding: null });
  const device = (pty as unknown as { _pty: string })._pty;
  const socket = connect(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  // Without an encoding the terminal gives and takes bytes; its types know text only.
  pty.onData((bytes) => socket.write(bytes as unknown as Buffer));
  socket.on("data", (bytes) => pty.write(bytes as unknown as string));
  socket.on("error", () => undefined);
  const pull = (): void => {
    pty.kill("SIGKILL");
    socket.destroy();
  };
  return {
    device,
    pull,
    async [Symbol.asyncDispose]() {
      pull();
    },
  };
}
