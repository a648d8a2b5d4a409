// What an iteration knows of itself; the runner says it.
export default { vu: { idInTest: 0 }, scenario: { name: "", iterationInTest: 0 } };
