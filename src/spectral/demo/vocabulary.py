"""The words of the demo tickets: slot fillers, openings, asides and closings. All of it is invented."""

from typing import Final

PRODUCTS: Final = (
    "rain jacket",
    "trekking tent",
    "sleeping bag",
    "hiking boots",
    "headlamp",
    "camping stove",
    "backpack",
    "down jacket",
    "trail shoes",
    "softshell trousers",
    "insulated bottle",
    "sleeping mat",
    "climbing harness",
    "gas lantern",
    "merino shirt",
    "trekking poles",
    "dry bag",
    "hammock",
    "water filter",
    "bike pannier",
    "ski goggles",
    "fleece",
)
PARTS: Final = (
    "buckle",
    "zip",
    "handle",
    "strap",
    "valve",
    "hinge",
    "lid",
    "pole",
    "hood",
    "clip",
    "frame",
    "lens",
    "burner",
    "heel",
    "pocket",
    "cord",
    "switch",
    "rim",
)
COLOURS: Final = ("green", "blue", "black", "orange", "grey", "red", "olive", "yellow", "sand")
SIZES: Final = ("S", "M", "L", "XL", "38", "40", "42", "44")
CARRIERS: Final = ("Norpost", "Parcelane", "SwiftVan", "Bergline", "Quickhaul")
TOWNS: Final = (
    "Arnfeld",
    "Lowick",
    "Marsund",
    "Tarbeck",
    "Ostrava Mill",
    "Pellham",
    "Vik",
    "Grenoule",
    "Sandhurst Bay",
)
PEOPLE: Final = (
    "Ingrid Vale",
    "Tomas Brandt",
    "Noor Haddad",
    "Lena Fischer",
    "Piotr Zielny",
    "Maya Okafor",
    "Jon Aske",
    "Carla Ruiz",
    "Samir Petit",
    "Alba Conti",
    "Owen Price",
    "Yuki Mori",
)
RELATIVES: Final = ("my sister", "my father", "my wife", "my husband", "a friend", "my daughter", "my brother")
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
TIMES_AGO: Final = (
    "two days ago",
    "last week",
    "ten days ago",
    "a month ago",
    "on Monday",
    "three weeks ago",
    "the day before yesterday",
    "at the start of the month",
    "five days ago",
    "last Friday",
)
WALLETS: Final = ("PayPal", "Klarna", "Apple Pay", "Google Pay")
CODES: Final = ("TRAIL10", "SPRING15", "HELLO5", "SUMMIT20", "WINTER25")
CHANNELS: Final = ("email", "chat", "form")

OPENINGS: Final = (
    "Hello,",
    "Hi there,",
    "Good morning,",
    "Dear team,",
    "Hi,",
    "Hello Halden team,",
    "Good evening,",
    "",
    "",
    "",
    "",
    "To whom it may concern,",
    "Hey,",
)
CLOSINGS: Final = (
    "Thanks, {person}",
    "Thank you!",
    "Best regards, {person}",
    "Please get back to me.",
    "Looking forward to your answer.",
    "Cheers",
    "Many thanks in advance.",
    "{person}",
    "",
    "",
    "",
    "",
    "",
    "Order {order}.",
    "Customer since {year}.",
)
CONTEXTS: Final = (
    "I ordered the {product} {ago}.",
    "Order {order}, {product}, paid with {wallet}.",
    "It is a birthday present for {relative}.",
    "We need it for a tour that starts on {day}.",
    "I have been a customer for years.",
    "This is about the {product} in {colour}.",
    "I bought a {product} and a {other_product} {ago}.",
    "I am writing on behalf of {relative}.",
    "My customer name is {person}.",
    "I already called on {day} and was sent here.",
    "Your chat told me to write a mail.",
    "We live in {town}.",
)
ASIDES: Final = (
    "I do not want to cancel anything.",
    "The payment itself went through without a problem.",
    "The refund from last time came quickly, by the way.",
    "Delivery was fast as always, no complaint there.",
    "I can log in and see the order.",
    "The address is correct, I checked.",
    "I would rather not return it if that can be avoided.",
    "I do not need a repair, just an answer.",
    "The parcel itself looked fine.",
    "I still have the receipt and the invoice.",
    "The size is right, that is not the point.",
    "My password works, if you ask.",
    "Tracking said it was delivered on {day}.",
    "The warranty card is filled in.",
    "The old {product} I had was never damaged in years.",
    "It was the right product last time.",
    "I was charged the correct amount.",
    "If it takes too long I would like a refund.",
    "A broken {part} I can live with, this I cannot.",
    "I changed nothing since the order.",
)
"""Remarks that carry another intent's words and do not matter: what makes a ticket a near miss."""
