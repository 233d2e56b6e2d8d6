import type { HubEvent, PartitionInfo } from "../ports.ts";
import { AmqpWriter } from "./amqp-writer.ts";

const DELIVERY_ANNOTATIONS = 0x71;
const MESSAGE_ANNOTATIONS = 0x72;
const PROPERTIES = 0x73;
const APPLICATION_PROPERTIES = 0x74;
const DATA = 0x75;

/** Writes the names below; the encoders have their own. */
const names = new AmqpWriter();

/** Names of annotations, encoded once. */
const NAME = {
  sequenceNumber: symbol("x-opt-sequence-number"),
  offset: symbol("x-opt-offset"),
  enqueuedTime: symbol("x-opt-enqueued-time"),
  partitionKey: symbol("x-opt-partition-key"),
  deviceId: symbol("iothub-connection-device-id"),
  moduleId: symbol("iothub-connection-module-id"),
  authMethod: symbol("iothub-connection-auth-method"),
  authGenerationId: symbol("iothub-connection-auth-generation-id"),
  hubEnqueuedTime: symbol("iothub-enqueuedtime"),
  messageSource: symbol("iothub-message-source"),
  interfaceId: symbol("dt-dataschema"),
  componentName: symbol("dt-subject"),
};

/** Encodes events as the Event Hubs compatible endpoint of IoT Hub sends them: annotations, properties, one data section. */
export class EventEncoder {
  readonly #writer = new AmqpWriter();

  /** @param runtime the state of the partition, for receivers that track it */
  encode(event: HubEvent, runtime?: { readonly info: PartitionInfo; readonly nowMs: number }): Buffer {
    const writer = this.#writer;
    writer.reset();
    if (runtime !== undefined) writeRuntime(writer, runtime.info, runtime.nowMs);
    writeAnnotations(writer, event);
    writeProperties(writer, event);
    writeApplicationProperties(writer, event);
    writer.section(DATA);
    writer.binaryHead(event.body.length);
    return writer.finish(event.body);
  }
}

function writeRuntime(writer: AmqpWriter, info: PartitionInfo, nowMs: number): void {
  writer.section(DELIVERY_ANNOTATIONS);
  const map = writer.begin("map");
  writer.symbol("last_enqueued_sequence_number");
  writer.long(info.lastSequenceNumber);
  writer.symbol("last_enqueued_offset");
  writer.string(String(info.lastSequenceNumber));
  writer.symbol("last_enqueued_time_utc");
  writer.timestamp(info.lastEnqueuedMs);
  writer.symbol("runtime_info_retrieval_time_utc");
  writer.timestamp(nowMs);
  writer.end(map, 8);
}

function writeAnnotations(writer: AmqpWriter, event: HubEvent): void {
  writer.section(MESSAGE_ANNOTATIONS);
  const map = writer.begin("map");
  let entries = 3;
  writer.raw(NAME.sequenceNumber);
  writer.long(event.sequenceNumber);
  writer.raw(NAME.offset);
  writer.string(String(event.sequenceNumber));
  writer.raw(NAME.enqueuedTime);
  writer.timestamp(event.enqueuedMs);
  const text = (name: Buffer, value: string | undefined): void => {
    if (value === undefined) return;
    entries++;
    writer.raw(name);
    writer.string(value);
  };
  text(NAME.partitionKey, event.partitionKey);
  if (event.source !== undefined) {
    text(NAME.deviceId, event.source.deviceId);
    text(NAME.moduleId, event.source.moduleId);
    text(NAME.authMethod, event.authMethod);
    text(NAME.authGenerationId, event.authGenerationId);
    text(NAME.messageSource, event.messageSource);
    text(NAME.interfaceId, event.system.interfaceId);
    text(NAME.componentName, event.system.componentName);
    entries++;
    writer.raw(NAME.hubEnqueuedTime);
    writer.timestamp(event.enqueuedMs);
  }
  writer.end(map, entries * 2);
}

/** The order of the AMQP specification, 3.2.4: a list, in which what is not there is null. */
function writeProperties(writer: AmqpWriter, { system, source }: HubEvent): void {
  writer.section(PROPERTIES);
  const list = writer.begin("list");
  const text = (value: string | undefined): void => (value === undefined ? writer.null() : writer.string(value));
  const name = (value: string | undefined): void => (value === undefined ? writer.null() : writer.symbol(value));
  text(system.messageId);
  if (system.userId === undefined) writer.null();
  else writer.binary(Buffer.from(system.userId));
  text(source === undefined ? undefined : `/devices/${device(source)}/messages/events`);
  writer.null();
  writer.null();
  text(system.correlationId);
  name(system.contentType);
  name(system.contentEncoding);
  writer.null();
  const createdMs = system.creationTimeUtc === undefined ? Number.NaN : Date.parse(system.creationTimeUtc);
  if (Number.isNaN(createdMs)) writer.null();
  else writer.timestamp(createdMs);
  writer.end(list, 10);
}

function device({ deviceId, moduleId }: { deviceId: string; moduleId?: string }): string {
  return moduleId === undefined ? deviceId : `${deviceId}/modules/${moduleId}`;
}

function writeApplicationProperties(writer: AmqpWriter, { properties }: HubEvent): void {
  let entries = 0;
  let map = 0;
  for (const name in properties) {
    if (entries++ === 0) {
      writer.section(APPLICATION_PROPERTIES);
      map = writer.begin("map");
    }
    writer.string(name);
    writer.string(properties[name] ?? "");
  }
  if (entries > 0) writer.end(map, entries * 2);
}

function symbol(name: string): Buffer {
  names.reset();
  names.symbol(name);
  return names.finish(Buffer.alloc(0));
}
