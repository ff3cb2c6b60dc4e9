"""The hand-made grammar of the demo tickets: twelve overlapping intents of an invented outdoor shop.

Each intent has aspects, the different situations in which people write in. A sentence holds choices `[one|another]`
and slots `{product}`, filled from `vocabulary`. The first aspect of an intent uses words that come to anybody's mind;
the others are what support teams learn about later, and what a first prompt leaves out.
"""

from typing import Final

Aspects = dict[str, tuple[str, ...]]

INTENTS: Final[dict[str, Aspects]] = {
    "order_tracking": {
        "whereabouts": (
            "[Where is|Can you tell me where] my order [now|at the moment]? I expected the {product} [by {day}|{ago}].",
            "When will my [order|{product}] be delivered? I ordered it {ago}.",
            "I would like to know when the {product} from order {order} will [arrive|be delivered].",
            "Could you check the delivery date of order {order}? [I am away from {day}|We leave on {day}].",
        ),
        "stuck_tracking": (
            (
                "The tracking page has [shown the same status|not moved|been stuck] since {day}, it [just|only] says "
                "[sorting centre|hub|in transit]."
            ),
            "The {carrier} link shows no [scan|movement|update] for {days} days [now|already].",
            (
                "Tracking number for the {product} [is not recognised|gives no result] on the {carrier} site, [any "
                "news|has it left the depot]?"
            ),
            "My shipment seems to be [sitting|stuck] at the {carrier} depot in {town} [since {day}|for {days} days].",
        ),
        "slipped_date": (
            (
                "The dispatch mail promised {day}, [that day came and went|nothing turned up] and the estimate keeps "
                "[slipping|moving]."
            ),
            "The van was supposed to come {ago}, I [waited in all day|took the day off] and nobody [rang|showed up].",
            (
                "Your mail said express and {days} days, we are well past that. [What is the new estimate|How much "
                "longer]?"
            ),
            "The courier [postponed|rescheduled] the {product} for the third time, is there a realistic day?",
        ),
        "backorder": (
            (
                "The {product} has been on backorder [for weeks|since {day}]. When does it [come back in stock|leave "
                "the warehouse]?"
            ),
            "I preordered the {product}, the release was {ago}. [Has mine shipped yet|Is mine packed yet]?",
            "Order {order} still says 'awaiting stock', is there a date from the [supplier|warehouse]?",
            "Part of my order is out of stock. Will the [rest|other half] be [shipped|sent] separately, and when?",
        ),
    },
    "missing_parcel": {
        "marked_delivered": (
            "My parcel is marked as delivered but I [did not receive|never got] [it|anything].",
            "{carrier} says delivered on {day}, [but there is no parcel|nothing was received] here.",
            "According to your mail the parcel was delivered {ago}. I did not receive it.",
            "Status delivered, parcel missing. [Please investigate|What happens now]? Order {order}.",
        ),
        "left_elsewhere": (
            "The driver [claims|writes] he left it with a neighbour, but [none of them|nobody in the building] has it.",
            "It was supposedly put on the porch, [the porch is empty|there is nothing on it], and I was home.",
            "The card says 'left in a safe place' and I have looked [behind the bins|in the shed|everywhere].",
            "Somebody called {person} signed for my {product}. Nobody of that name [lives|works] here.",
        ),
        "stolen": (
            "Our hallway camera shows [someone|a man] taking the box [an hour later|the same evening]. It was stolen.",
            "I think the {product} was stolen from [our doorstep|the stairwell], who is liable?",
            "There have been thefts in our street and my box [has vanished|was gone] too. Do I need a police report?",
            "The empty carton was lying [in the hedge|on the pavement], the {product} gone. Theft, clearly.",
        ),
        "photo_proof": (
            "The proof photo shows a [red|different] door, ours is white. They dropped it at the wrong house.",
            "I asked {carrier} for the signature and it is not mine, [just a scribble|a line]. The box is nowhere.",
            "The GPS point of the drop is [two streets away|in another town], please open a trace with {carrier}.",
            "{carrier} admits that the box was lost between {town} and here and told me to [turn to|contact] you.",
        ),
    },
    "damaged_item": {
        "arrived_broken": (
            "The {product} arrived [broken|damaged] [yesterday|this morning|{ago}].",
            "I opened the parcel and the {product} is damaged, [the {part} is broken|broken at the {part}].",
            "My {product} arrived with a broken {part}.",
            "Damaged on arrival: the {part} of the {product} is broken in two.",
        ),
        "crushed_box": (
            "The carton was [crushed|squashed|soaked] and the {part} inside is bent.",
            "Something heavy must have stood on the box. [The corner is dented|There is a dent in the {part}].",
            "The packaging was [ripped open|wet through], the {product} inside has [dents|mud stains] all over.",
            "Whoever packed this used no padding at all, the {part} has snapped [off|clean through].",
        ),
        "blemish": (
            "Brand new {product} and there is a [scratch|long scratch|crack] across the {part}.",
            "Took it out of the wrapping: a [hole|tear] near the {part}, the seam is open.",
            (
                "The {part} of the brand new {product} has a chip and the paint is [flaking|scuffed] straight out of "
                "the wrapping."
            ),
            "Unpacked the {product}: [glue marks|stains] and a torn {part}, surely it should not look like this.",
        ),
        "leak": (
            "The fuel bottle had leaked [in transit|all over the box], everything [reeks|is sticky].",
            "The {product} was shattered, there were [splinters|shards] in the wrapping, careful there.",
            "A can of waterproofing spray burst inside the carton and ruined the {product}.",
            "Glass of the lantern in pieces when unwrapped, I have [photos|pictures] of the shards.",
        ),
    },
    "wrong_item": {
        "different_product": (
            "I received a different product: [instead of|not] the {product} [there was|I got] a {other_product}.",
            "You sent the wrong item. I ordered a {product} and received a {other_product}.",
            "Wrong product in the box, I ordered the {product}.",
            "What I received is not what I ordered, it is a {other_product}.",
        ),
        "variant": (
            "The {product} is {colour}, I picked {other_colour} [on the site|in the shop].",
            "The tag says {size} though I chose {other_size}, and the {colour} one at that.",
            "It is the men's cut, I had selected the women's {product} in {colour}.",
            "Confirmation says {other_colour}, out of the bag came {colour}. Mix-up in the warehouse?",
        ),
        "incomplete": (
            "Only one of the two {part}s was in the box, the [second|other] is absent.",
            "The set is incomplete: [no|without a] {part}, no pegs, no manual.",
            "The {product} came without its {part}, though the [listing|site] says it is included.",
            "I count {days} pieces, the listing promises {more}. [A bag|One bundle] must have been forgotten.",
        ),
        "strangers_parcel": (
            (
                "The packing slip carries the name {person}, so [a stranger's|somebody else's] {other_product} ended "
                "up here."
            ),
            "Looks like two labels were swapped, I have the {other_product} of a customer in {town}.",
            "In the box: a {other_product} and a slip for somebody called {person}. Mine presumably went to them.",
            "Got somebody else's things, a {other_product} among them. How do we swap?",
        ),
    },
    "return_request": {
        "send_back": (
            "I want to send the {product} back. [How does it work|What do I need to do]?",
            "I would like to return the {product} from order {order}.",
            "How do I send a product back to you? It is the {product}.",
            "Please tell me how to return [an unused|a] {product}.",
        ),
        "poor_fit": (
            (
                "The {product} is too [tight|short|narrow] [around the shoulders|at the toes|for me], a size up does "
                "not exist."
            ),
            (
                "It pinches [at the heel|at the waist], I tried it on indoors only and would rather [hand it "
                "back|not keep it]."
            ),
            "Runs far too [large|wide], {size} fits like a tent. Can I swap it for a {other_size}?",
            "The {product} looked [great|good] on the site, on me it does not sit well. Not keeping it.",
        ),
        "changed_mind": (
            "It was a gift and {relative} already owns one. It is unworn, with the tags on.",
            "I changed my mind about the {product}, it is [unopened|still sealed], am I within the thirty days?",
            "Bought two to compare at home and [keep|am keeping] the {colour} one, the other goes back unused.",
            "{relative} does not like the colour. [Receipt|The tags] and original bag are all here.",
        ),
        "label_needed": (
            "There was no prepaid label in the box, can you mail me [one|a QR code]?",
            "The portal will not print my label for the {product}, it says 'outside the window'.",
            "Which drop-off shop may I use in {town}, and is the label free of charge?",
            "Can the {carrier} driver collect the {product} at my door or do I have to bring it to a drop-off shop?",
        ),
    },
    "refund_pending": {
        "waiting": (
            "I am still waiting for my refund for the {product}.",
            "When do I get my refund? I sent the {product} back {ago}.",
            "The refund for order {order} has not arrived.",
            "How long does a refund take? I have waited {days} days.",
        ),
        "bank_statement": (
            "You confirmed my parcel at the warehouse {ago}, yet nothing has been credited to my [account|card].",
            "The mail says reimbursed on {day}, my bank [sees nothing incoming|has no trace of a transfer].",
            "My statement shows no credit for the {product} that went back {ago}.",
            "I closed the card I paid with, so where did the [money|reimbursement] go? My bank cannot find it.",
        ),
        "partial": (
            "Only {amount} came back, the {product} cost more. Where is the [rest|remainder]?",
            "You kept {amount} for postage, the policy says the full sum is reimbursed.",
            "Half of the sum was reimbursed {ago}. The other half is [outstanding|still open].",
            "Two things went back, money for just one of them was reimbursed, {amount} outstanding.",
        ),
        "voucher_instead": (
            "You issued store credit, I asked for the money on my [card|bank account].",
            "Instead of my money I got a voucher code over {amount}. Please reverse it and transfer the sum.",
            "I do not want credit points for the {product} that I [sent|gave] back, I want a transfer.",
            (
                "The voucher you gave me for the {product} I returned {ago} is not what the law says, reimburse me "
                "properly."
            ),
        ),
    },
    "billing_error": {
        "charged_twice": (
            "I was charged twice for order {order}.",
            "My card was charged the wrong amount, {amount} too much.",
            "You charged {amount} twice for one {product}.",
            "I was charged for something that I did not order, {amount}.",
        ),
        "coupon": (
            "The coupon {code} was accepted, still the full price was taken.",
            "The sale price said {amount} less, the discount is not on the receipt.",
            "I forgot to enter my promo code {code}, can the discount be added afterwards?",
            "The [newsletter|loyalty] discount is missing from the total of order {order}.",
        ),
        "membership": (
            "The trail club membership renewed itself for {amount}, I had switched it off.",
            "What is this yearly club fee of {amount}? I never subscribed.",
            "My free trial of the club turned into a subscription {ago} without a word, {amount}.",
            "You debit a monthly {amount} subscription from me, I never agreed to one.",
        ),
        "invoice": (
            "The invoice lists the wrong VAT rate, our accounting [rejects it|cannot book it].",
            "I need an invoice with our company name and VAT number for the {product}.",
            "The receipt says {amount} for shipping although the site said free above fifty.",
            "Customs duty of {amount} appears on the invoice, the site said taxes were included.",
        ),
    },
    "payment_declined": {
        "card_failed": (
            "My payment failed at the checkout, the card is fine.",
            "The checkout says my card payment failed. I tried {days} times.",
            "Payment by card is not possible, it failed for the {product}.",
            "I cannot pay, the payment fails each time.",
        ),
        "verification": (
            "My bank app asks me to approve, I approve, and then the site [times out|goes round in circles].",
            "The 3-D Secure window stays blank, [in Firefox|on my phone] too.",
            "The verification code from my bank is refused on the last step, the basket is [still full|unchanged].",
            "After I confirm with my fingerprint in the bank app the shop says 'authorisation declined'.",
        ),
        "wallet": (
            "{wallet} throws an error when I come back to the shop and the basket is [still there|emptied].",
            "The {wallet} button spins forever, {product} in the basket, nothing happens.",
            "Choosing {wallet} gives 'declined by provider', with a balance of more than {amount}.",
            "Instalments with {wallet} are greyed out [for me|since {day}], they used to work.",
        ),
        "gift_card": (
            "The gift card code is declined as invalid, I scratched it free {ago}.",
            "I cannot redeem my gift card of {amount} for the {product}, 'declined'.",
            "My gift card and a second card cannot be combined, the shop rejects the split.",
            "It rejects the voucher balance of {amount} at the final step although it shows in the basket.",
        ),
    },
    "cancel_order": {
        "cancel": (
            "Please cancel order {order}[.| before it ships.]",
            "I want to cancel my order of the {product}.",
            "Can I still cancel? I ordered the {product} [{ago}|an hour ago].",
            "Cancel the {product} please, before it ships.",
        ),
        "by_accident": (
            "I pressed buy twice by accident, one {product} is enough.",
            "My [son|daughter] ordered a {product} on my phone by mistake, please stop it.",
            "Accidental purchase, wrong button. Please do not process it.",
            "The page hung, I clicked again and now there are two orders. Drop the second by mistake one.",
        ),
        "found_elsewhere": (
            "I found the {product} cheaper in a shop in {town} and no longer need yours.",
            "It takes too long, I bought a {product} elsewhere. Stop the shipment please.",
            "We no longer need the {product}, the trip is called off.",
            "I no longer want to wait for the backordered {product}, take it off and forget it.",
        ),
        "withdraw": (
            "I withdraw from the contract for order {order}, made {ago}.",
            "Please call off the {product}, it has not left your warehouse I hope.",
            "Stop order {order}! It must not go out.",
            "Is it too late to [call off|withdraw] the purchase from [this morning|last night]?",
        ),
    },
    "change_order": {
        "change": (
            "I need to change the address of order {order}.",
            "Please change the size of the {product} in my order to {other_size}.",
            "Can I change the quantity in order {order} to {days}?",
            "I would like to change my order: the {product} in {other_size}.",
        ),
        "moved": (
            "I have moved house, please send it to my new flat in {town} instead.",
            "The street number is missing a letter, it should be 12b. Correct it please.",
            "I typed the old postcode, we moved {ago}, can you redirect the {product}?",
            "The surname on the label must be {person}, otherwise the concierge will not accept it.",
        ),
        "add_item": (
            "Could you add a second {product} to order {order}, so it goes out together?",
            "Please add {part}s to the basket I paid {ago}, I will pay the difference.",
            "Can you combine order {order} with the one from {day} into one box?",
            "Leave out the {other_product} but keep the {product}, please adjust.",
        ),
        "other_slot": (
            "Can it go to a pick-up point in {town} instead of my door?",
            "We are on holiday until {day}, please hold it back and send it the week after instead.",
            "Please upgrade me to express, I will pay the difference.",
            "Swap the {colour} {product} for the {other_colour} one, it is not packed yet I hope.",
        ),
    },
    "account_access": {
        "password": (
            "I forgot my password and the reset does not work.",
            "I cannot log in, the password is not accepted.",
            "Login problems: it says wrong password.",
            "My login stopped working {ago}.",
        ),
        "second_factor": (
            "New phone, and now the authenticator codes are [refused|wrong].",
            "The text message with the six digits never comes, my number has changed.",
            "I lost my backup codes and the authenticator app, please switch it off.",
            "It wants a code from a device that I sold {ago}.",
        ),
        "locked": (
            "My profile is locked after too many tries.",
            "It says 'suspicious activity, profile suspended'. Please unlock it.",
            "I was logged out everywhere and am locked out since {day}.",
            "Somebody in {town} got into my profile, I want all devices thrown out.",
        ),
        "email_change": (
            "The mail address of my profile no longer exists, so the sign-in link goes nowhere.",
            "I signed up twice, please merge the profile with the old mail address into the new one.",
            "Please delete my profile and all personal data.",
            "I married and need another name and mail address on my profile.",
        ),
    },
    "warranty_repair": {
        "stopped": (
            "The {product} stopped working after {months} months, is it under warranty?",
            "My {product} needs a repair, the {part} stopped working.",
            "Can this be repaired under warranty? The {part} of my {product} does not work any more.",
            "Warranty: my {product} from last year stopped working.",
        ),
        "worn_zip": (
            "The zip jams after {months} months of normal use.",
            "After one season the {part} has come loose and the stitching [unravels|frays].",
            "The sole is peeling off, I have worn them for {months} months.",
            "Bought it {months} months ago, now the buckle has given way on a [hike|tour].",
        ),
        "membrane": (
            "The membrane is delaminating, rain comes through at the shoulders after {months} months.",
            "My tent lets in water at the seams since this season, the coating flakes.",
            "The mattress loses air overnight, I cannot find the puncture, it is {months} months old.",
            "The down clumps after a few washes and no longer keeps me warm, used for one season.",
        ),
        "spare_part": (
            "Do you sell a spare {part} for the {product}? Mine wore out.",
            "Where do I get a replacement {part}, the {product} is from {months} months ago.",
            "The battery of the headlamp holds for ten minutes only, a spare would do.",
            "The stove does not ignite any more after {months} months, is there a service kit?",
        ),
    },
}

CLAIMS: Final[dict[str, tuple[str, ...]]] = {
    "order_tracking": (
        "[So where|Where] is it?",
        "Please tell me when it will be delivered.",
        "I just want to know where my shipment is.",
        "When can I expect the delivery?",
    ),
    "missing_parcel": (
        "The parcel was never received.",
        "My parcel is lost.",
        "I have not received the parcel that you list as delivered.",
        "Delivered it was not, not to me.",
    ),
    "damaged_item": (
        "It arrived damaged.",
        "So the product is broken.",
        "It was like that when it arrived.",
        "I cannot use a damaged product.",
    ),
    "wrong_item": (
        "This is the wrong product.",
        "It is not the product I ordered.",
        "I received the wrong [one|thing].",
        "That is different from what I ordered.",
    ),
    "return_request": (
        "I would like to return it.",
        "How do I send it back?",
        "So I want to send the product back.",
        "Please explain the return.",
    ),
    "refund_pending": (
        "Where is my refund?",
        "I am waiting for the [refund|money].",
        "Please pay the refund.",
        "When does the money come back?",
    ),
    "billing_error": (
        "The amount charged is wrong.",
        "You charged me wrongly.",
        "Please correct the amount.",
        "I was charged too much.",
    ),
    "payment_declined": (
        "So the payment failed.",
        "I cannot finish the checkout.",
        "The payment is declined every time.",
        "How else can I pay at the checkout?",
    ),
    "cancel_order": (
        "Please cancel it.",
        "I want to cancel.",
        "Cancel the order.",
        "Can this be cancelled before it ships?",
    ),
    "change_order": (
        "Please change the order.",
        "Can this still be changed?",
        "I want to change that in my order.",
        "Is a change of the order possible?",
    ),
    "account_access": (
        "I cannot log in.",
        "How do I get back to my login?",
        "The login does not work.",
        "Please give me back my access and a new password.",
    ),
    "warranty_repair": (
        "Is that covered by the warranty?",
        "Can you repair it?",
        "I would like a repair.",
        "Surely the warranty covers that.",
    ),
}
"""What people ask for in plain words: it follows the sentence of the aspect in some tickets only."""
