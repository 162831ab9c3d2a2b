// Stripe's SDK: `stripe_client.js charges|customers [HOST]` creates one of these, at HOST if one is given, and prints what
// comes back, or what the error says.
'use strict';
const Stripe = require('stripe');

const [what, host] = process.argv.slice(2);
const stripe = new Stripe('sk_test_lab', host ? { host } : {});
const form = { charges: { amount: 2000, currency: 'eur', source: 'tok_visa' }, customers: { name: 'Jenny Rosen' } }[what];

stripe[what].create(form).then(
  (created) => console.log(JSON.stringify(created)),
  ({ type, rawType, message, statusCode }) => {
    console.log(JSON.stringify({ type, rawType, message, status: statusCode }));
    process.exitCode = 1;
  },
);
