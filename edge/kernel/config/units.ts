import { nearest } from "./suggest.ts";

export interface Unit {
  readonly symbol: string;
  readonly name: string;
  readonly quantity: string;
  /** What people write for it; never accepted silently, only used to suggest the symbol. */
  readonly aliases: readonly string[];
}

type Row = readonly [symbol: string, name: string, quantity: string, ...aliases: string[]];

const ROWS: readonly Row[] = [
  ["°C", "degree Celsius", "temperature", "C", "degC", "deg C", "celsius", "oC"],
  ["°F", "degree Fahrenheit", "temperature", "F", "degF", "deg F", "fahrenheit"],
  ["K", "kelvin", "temperature", "kelvin"],
  ["%", "percent", "ratio", "percent", "pct"],
  ["‰", "per mille", "ratio", "permille"],
  ["ppm", "parts per million", "ratio"],
  ["rpm", "revolutions per minute", "rotational speed", "1/min", "U/min", "r/min", "rev/min", "min-1", "min⁻¹"],
  ["rad/s", "radian per second", "rotational speed"],
  ["°/s", "degree per second", "rotational speed", "deg/s"],
  ["Hz", "hertz", "frequency", "hertz", "1/s"],
  ["kHz", "kilohertz", "frequency"],
  ["MHz", "megahertz", "frequency"],
  ["m", "metre", "length", "meter", "metre"],
  ["cm", "centimetre", "length"],
  ["mm", "millimetre", "length", "millimeter"],
  ["µm", "micrometre", "length", "um", "micron"],
  ["nm", "nanometre", "length"],
  ["km", "kilometre", "length"],
  ["in", "inch", "length", "inch", '"'],
  ["ft", "foot", "length", "feet", "foot"],
  ["°", "degree of angle", "angle", "deg", "degree", "degrees"],
  ["rad", "radian", "angle", "radian"],
  ["m²", "square metre", "area", "m2", "qm"],
  ["mm²", "square millimetre", "area", "mm2"],
  ["m³", "cubic metre", "volume", "m3", "cbm"],
  ["l", "litre", "volume", "L", "liter", "litre"],
  ["ml", "millilitre", "volume", "mL"],
  ["gal", "US gallon", "volume", "gallon"],
  ["s", "second", "time", "sec", "second", "seconds"],
  ["ms", "millisecond", "time", "msec"],
  ["µs", "microsecond", "time", "us"],
  ["min", "minute", "time", "minute", "minutes"],
  ["h", "hour", "time", "hr", "hour", "hours"],
  ["d", "day", "time", "day", "days"],
  ["m/s", "metre per second", "speed", "mps"],
  ["m/min", "metre per minute", "speed"],
  ["mm/s", "millimetre per second", "speed, vibration velocity"],
  ["mm/min", "millimetre per minute", "feed rate"],
  ["mm/rev", "millimetre per revolution", "feed"],
  ["in/min", "inch per minute", "feed rate", "ipm"],
  ["in/s", "inch per second", "vibration velocity", "ips"],
  ["km/h", "kilometre per hour", "speed", "kmh", "kph"],
  ["m/s²", "metre per second squared", "acceleration", "m/s2", "m/s^2"],
  ["g", "gram; standard gravity for vibration", "mass, acceleration", "gram"],
  ["mg", "milligram", "mass"],
  ["kg", "kilogram", "mass", "kilo"],
  ["t", "tonne", "mass", "ton", "tons", "tonne"],
  ["lb", "pound", "mass", "lbs", "pound"],
  ["oz", "ounce", "mass", "ounce"],
  ["N", "newton", "force", "newton"],
  ["kN", "kilonewton", "force"],
  ["lbf", "pound-force", "force"],
  ["Nm", "newton metre", "torque", "N.m", "N·m", "N m"],
  ["lbf·ft", "pound-force foot", "torque", "ft-lb", "ftlb", "lbft"],
  ["Pa", "pascal", "pressure", "pascal"],
  ["hPa", "hectopascal", "pressure"],
  ["kPa", "kilopascal", "pressure", "kpa"],
  ["MPa", "megapascal", "pressure"],
  ["bar", "bar", "pressure"],
  ["mbar", "millibar", "pressure", "millibar"],
  ["psi", "pound-force per square inch", "pressure", "lbf/in2"],
  ["inHg", "inch of mercury", "pressure"],
  ["N/mm²", "newton per square millimetre", "stress", "N/mm2"],
  ["V", "volt", "voltage", "volt", "volts"],
  ["mV", "millivolt", "voltage"],
  ["kV", "kilovolt", "voltage"],
  ["A", "ampere", "current", "amp", "amps", "ampere"],
  ["mA", "milliampere", "current"],
  ["Ω", "ohm", "resistance", "ohm", "ohms"],
  ["kΩ", "kiloohm", "resistance", "kohm"],
  ["MΩ", "megaohm", "resistance", "Mohm"],
  ["W", "watt", "power", "watt", "watts"],
  ["kW", "kilowatt", "power", "kilowatt"],
  ["MW", "megawatt", "power"],
  ["hp", "mechanical horsepower", "power", "horsepower"],
  ["PS", "metric horsepower", "power"],
  ["VA", "volt-ampere", "apparent power"],
  ["kVA", "kilovolt-ampere", "apparent power"],
  ["var", "volt-ampere reactive", "reactive power"],
  ["kvar", "kilovolt-ampere reactive", "reactive power", "kVAr"],
  ["J", "joule", "energy", "joule"],
  ["kJ", "kilojoule", "energy"],
  ["Wh", "watt-hour", "energy"],
  ["kWh", "kilowatt-hour", "energy"],
  ["MWh", "megawatt-hour", "energy"],
  ["l/min", "litre per minute", "flow", "lpm", "L/min"],
  ["l/h", "litre per hour", "flow", "L/h"],
  ["l/s", "litre per second", "flow", "L/s"],
  ["ml/min", "millilitre per minute", "flow"],
  ["m³/h", "cubic metre per hour", "flow", "m3/h"],
  ["m³/min", "cubic metre per minute", "flow", "m3/min"],
  ["Nm³/h", "normal cubic metre per hour", "flow", "Nm3/h"],
  ["gal/min", "US gallon per minute", "flow", "gpm"],
  ["cfm", "cubic foot per minute", "flow"],
  ["kg/h", "kilogram per hour", "mass flow"],
  ["kg/s", "kilogram per second", "mass flow"],
  ["kg/m³", "kilogram per cubic metre", "density", "kg/m3"],
  ["g/cm³", "gram per cubic centimetre", "density", "g/cm3"],
  ["g/m³", "gram per cubic metre", "concentration", "g/m3"],
  ["%RH", "percent relative humidity", "humidity", "RH", "%rH"],
  ["pH", "pH value", "acidity", "ph"],
  ["mS/cm", "millisiemens per centimetre", "conductivity"],
  ["µS/cm", "microsiemens per centimetre", "conductivity", "uS/cm"],
  ["°Brix", "degree Brix", "refraction", "Brix"],
  ["cSt", "centistokes", "viscosity"],
  ["mPa·s", "millipascal second", "viscosity", "mPas", "cP"],
  ["dB", "decibel", "level", "decibel"],
  ["dB(A)", "A-weighted decibel", "sound level", "dBA"],
  ["lx", "lux", "illuminance", "lux"],
  ["T", "tesla", "flux density", "tesla"],
  ["pcs", "pieces", "count", "pc", "pieces", "piece", "parts", "Stk"],
  ["pcs/h", "pieces per hour", "rate", "parts/h"],
  ["pcs/min", "pieces per minute", "rate", "parts/min"],
  ["strokes/min", "strokes per minute", "rate", "spm"],
  ["cycles", "cycles", "count", "cycle"],
  ["bit/s", "bit per second", "data rate", "bps"],
  ["B", "byte", "data", "byte", "bytes"],
];

export const UNITS: readonly Unit[] = ROWS.map(([symbol, name, quantity, ...aliases]) => ({
  symbol,
  name,
  quantity,
  aliases,
}));

const BY_SYMBOL = new Map(UNITS.map((unit) => [folded(unit.symbol), unit]));

/** The unit with this symbol; other code points of the same letters (µ and μ, ℃ and °C) count as the same. */
export function unitOf(symbol: string): Unit | undefined {
  return BY_SYMBOL.get(folded(symbol));
}

/** The symbol that was probably meant by an unknown one, among the known units and `own`. */
export function nearestUnit(symbol: string, own: readonly string[] = []): string | undefined {
  const wanted = symbol.trim().toLowerCase();
  for (const unit of UNITS) {
    if (unit.aliases.some((alias) => alias === symbol.trim())) return unit.symbol;
  }
  for (const unit of UNITS) {
    const forms = [unit.symbol, unit.name, ...unit.aliases];
    if (forms.some((form) => form.toLowerCase() === wanted)) return unit.symbol;
  }
  return nearest(symbol, [...own, ...UNITS.map((unit) => unit.symbol)]);
}

function folded(symbol: string): string {
  return symbol.normalize("NFKC");
}
