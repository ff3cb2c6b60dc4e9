/** What a new config begins with: the smallest one that runs at once, without a key of a provider. */
export const STARTING_POINT = `prompts:
  main:
    messages:
      - role: system
        content: |-
          Sort the ticket into one of: billing, login, shipping.
          Answer with the name alone.
      - role: user
        content: "{{ticket}}"
model: spectral-local/small
parameters:
  temperature: 0
few_shot:
  - input:
      ticket: I was charged twice
    output: billing
  - input:
      ticket: My password does not work
    output: login
  - input:
      ticket: Where is my parcel?
    output: shipping
search_space:
  - pointer: /prompts/main/messages/0/content
    kind: text
    bounds:
      max_length: 4000
  - pointer: /few_shot
    kind: examples
    bounds:
      max_items: 40
`;
