/**
 * Words of machine shops and of our own events, which a compressor may refer to as if they stood before every text (raw
 * deflate with this text, in UTF-8, as preset dictionary). Pinned with format version 1: never change a character; a better
 * list is a new version.
 */
export const VOCABULARY = [
  "unknown warning emergency maintenance production stopped starting interrupted manual automatic waiting blocked",
  "humidity viscosity concentration conductivity thickness diameter length width height weight mass angle torque force distance",
  "supply return inlet outlet upper lower left right front rear main auxiliary primary secondary actual target setpoint command",
  "extruder furnace oven mold clamp injection cylinder robot gripper conveyor feeder bearing gearbox pump fan valve filter tank",
  "boiler chiller heater cooler blower dryer weld laser grinder saw bend press compressor lathe mill machine line station cell",
  "voltage current frequency phase L1 L2 L3 powerFactor activePower reactivePower energyTotal kWh kW bar mbar mm/s mm/min l/min rpm °C % s ms m³/h",
  "factoryId stroke strokes strokeRate dieWear dieBroken guardClosed overheated running electricityUtilization pressure temperature",
  "ambientTemperature ambientHumidity oilTemperature oilPressure dischargePressure motorCurrent motorSpeed motorTemperature loadHours onlineHours dewPoint filterDifferentialPressure",
  "tool toolNumber toolWear toolLife offset feed feedRate feedOverride rapidOverride chuck chuckPressure tailstock barRemaining pallet magazine program programName blockNumber sequence cycle cycleTime cycleCount part partCount goodCount scrapCount total",
  "door doorOpen alarm alarms alarmActive error fault status state mode operatingMode execution power energy runTime powerOnTime hours counter count",
  "coolant coolantFlow coolantLevel coolantPressure coolantTemperature hydraulic hydraulicPressure hydraulicTemperature lubrication lubricationPressure air airPressure airFlow vacuum cabinet cabinetTemperature vibration vibrationX vibrationY vibrationZ acceleration velocity",
  "spindle spindleSpeed spindleLoad spindleTemperature spindleMotorTemperature spindleCurrent spindleTorque spindleOverride spindleRevolutions axis axisX axisY axisZ axisA axisB axisC Position Load Speed Temperature Pressure Current Torque Velocity Flow Level Motor Counter Rate Override Time Number Name",
  "modelVersion score threshold detector changepoint spike dip severity message reason acknowledgedBy operator",
  '"cause":"overflow","samples":0,"fromMs":17,"toMs":17,"detail":""}',
  '{"connectionId":"opc.tcp://","protocol":"modbus","address":"modbus+tcp://192.168.1.","state":"connecting","detail":"","hint":null,"machineIds":["site/machine-01"],"counters":{"reconnects":0,"reads":0,"errors":0},"problems":[{"machineId":"","signal":"","statusCode":2147483648,"message":"","hint":""}]}',
  '{"kind":"applied","path":"tailstock.yaml","sha256":"","problems":[],"changes":[]}{"kind":"removed"}',
  '{"kind":"machine","typeName":"cnc-mill","connectionId":"opcua:opc.tcp://127.0.0.1:4840","signals":[{"name":"state","title":"State","unit":"","key":true,"type":"string","intervalMs":1000,"mode":"subscribe"},{"name":"","title":"","unit":"","key":false,"type":null,"intervalMs":500,"mode":"poll"},{"name":"","title":"","unit":"°C","key":false,"type":"float64","intervalMs":1000},{"name":"","title":"","unit":"%","key":false,"type":"uint16","intervalMs":1000}]}',
].join("\n");
