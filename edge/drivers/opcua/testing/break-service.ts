import { ServiceFault, type StatusCode } from "node-opcua";
import type { TestServer } from "./opcua-server.ts";

interface Message<Request> {
  readonly request: Request & { readonly requestHeader: { readonly requestHandle: number } };
}
interface Channel {
  send_response(type: string, response: unknown, message: unknown): void;
}
type Handler<Request> = (message: Message<Request>, channel: Channel) => void;

/**
 * Has the server answer a service with a fault whenever `verdict` names one; otherwise with its own handler.
 * @param service "Publish": the request's name without its ending
 */
export function breakService<Request>(
  server: TestServer,
  service: string,
  verdict: (request: Request) => StatusCode | undefined,
): void {
  intercept<Request>(server, service, (message, channel, answer) => {
    const serviceResult = verdict(message.request);
    if (serviceResult === undefined) return answer();
    const { requestHandle } = message.request.requestHeader;
    channel.send_response("MSG", new ServiceFault({ responseHeader: { requestHandle, serviceResult } }), message);
  });
}

/** Loses answers on their way: the server believes that it has sent them. */
export function loseAnswers<Response>(
  server: TestServer,
  service: string,
  isResponse: (response: unknown) => response is Response,
  isLost: (response: Response) => boolean,
): void {
  const known = new WeakSet<Channel>();
  intercept(server, service, (_message, channel, answer) => {
    if (!known.has(channel)) {
      known.add(channel);
      const send = channel.send_response.bind(channel);
      channel.send_response = (type, response, message) => {
        if (!isResponse(response) || !isLost(response)) send(type, response, message);
      };
    }
    answer();
  });
}

function intercept<Request>(
  server: TestServer,
  service: string,
  handle: (message: Message<Request>, channel: Channel, answer: () => void) => void,
): void {
  const name = `_on_${service}Request`;
  const handlers = server.server as unknown as Record<string, Handler<Request>>;
  const own = handlers[name];
  if (own === undefined) throw new Error(`the server has no ${name}`);
  handlers[name] = (message, channel) => handle(message, channel, () => own.call(server.server, message, channel));
}
