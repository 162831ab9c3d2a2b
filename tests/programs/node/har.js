// Says of a HAR file whether it is one, by the schema of its specification, or what is wrong with it.
'use strict';

const fs = require('fs');
const validate = require('har-validator');

validate
  .har(JSON.parse(fs.readFileSync(process.argv[2], 'utf8')))
  .then(() => console.log('valid'))
  .catch((error) => {
    console.error(JSON.stringify(error.errors ?? error.message, null, 2));
    process.exit(1);
  });
