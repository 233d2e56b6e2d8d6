/**
 * IoT Hub's price classes: daily messages of one unit, what a message is metered by, and US list prices a month and unit,
 * for an order of magnitude. They are what was public at PRICES_KNOWN, without tax and discount, and no offer of anybody.
 */
export interface PriceClass {
  readonly name: "F1" | "B1" | "B2" | "B3" | "S1" | "S2" | "S3";
  /** Metered messages a day and unit. */
  readonly unitsPerDay: number;
  readonly meterBytes: number;
  readonly usdPerMonth: number;
  readonly unitsMax: number;
  /** Basic classes have no twins, methods, messages to devices, or IoT Edge: readings go up, commands do not come down. */
  readonly hasCommands: boolean;
}

export const PRICES_KNOWN = "January 2025";
export const PRICES_URL = "https://azure.microsoft.com/pricing/details/iot-hub/";

const KB_4 = 4_096;

export const PRICE_CLASSES: readonly PriceClass[] = [
  { name: "F1", unitsPerDay: 8_000, meterBytes: 512, usdPerMonth: 0, unitsMax: 1, hasCommands: true },
  { name: "B1", unitsPerDay: 400_000, meterBytes: KB_4, usdPerMonth: 10, unitsMax: 200, hasCommands: false },
  { name: "B2", unitsPerDay: 6_000_000, meterBytes: KB_4, usdPerMonth: 50, unitsMax: 200, hasCommands: false },
  { name: "B3", unitsPerDay: 300_000_000, meterBytes: KB_4, usdPerMonth: 500, unitsMax: 10, hasCommands: false },
  { name: "S1", unitsPerDay: 400_000, meterBytes: KB_4, usdPerMonth: 25, unitsMax: 200, hasCommands: true },
  { name: "S2", unitsPerDay: 6_000_000, meterBytes: KB_4, usdPerMonth: 250, unitsMax: 200, hasCommands: true },
  { name: "S3", unitsPerDay: 300_000_000, meterBytes: KB_4, usdPerMonth: 2_500, unitsMax: 10, hasCommands: true },
];
