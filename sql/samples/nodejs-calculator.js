// Adds, subtracts, multiplies or divides two numbers.
const operations = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => {
    if (b === 0) throw new RangeError('division by zero');
    return a / b;
  },
};

module.exports = async (event) => {
  const { operation, a, b } = event.params;
  if (!Object.hasOwn(operations, operation)) {
    throw new TypeError(`operation must be one of ${Object.keys(operations).join(', ')}`);
  }
  if (typeof a !== 'number' || typeof b !== 'number') {
    throw new TypeError('a and b must be numbers');
  }
  return { operation, a, b, value: operations[operation](a, b) };
};
