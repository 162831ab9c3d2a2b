// What the clients share: `CLIENT CHECK…` runs these checks of it, says which is right, and stops at the first that is
// not.
'use strict';
const crypto = require('crypto');

exports.ORIGIN = 'https://node.test';
// What the server has at /blob.
exports.BLOB = Buffer.from(Array.from({ length: 3 << 20 }, (_, at) => at % 251));

// A gate's name that nobody else has.
exports.gate = () => crypto.randomUUID();

exports.run = async (checks, close = () => {}) => {
  const deadline = setTimeout(() => {
    console.error('nothing happened for 30 s');
    process.exit(1);
  }, 30000);
  try {
    for (const name of process.argv.slice(2)) {
      await checks[name]();
      console.log(`${name} is right`);
    }
    clearTimeout(deadline);
    close();
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
};
