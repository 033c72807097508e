"""Sample conversations for the inbox, in different channels and languages."""

from datetime import timedelta
from functools import partial
from typing import Any

from service.sandbox.dixa.model import Message, Person, now
from service.sandbox.dixa.state import State


def add_samples(state: State) -> None:
    """Add the samples to a state. Those without an `agent` have the first one."""
    for name in ("no-survey", "press", "vip"):
        state.tag(name)
    add = partial(_add, state)
    _, aisha, camille = state.agents
    add(
        Person("Ida Holm", "ida@example.com", "+4520112233"),
        "Hi,\n\nThe Fjell jacket I ordered is lovely, but a size too small. Can I swap it for an M?\n\nIda",
        "Hi Ida,\n\nOf course. An M is set aside for you, and a return label is on its way.\n\nBest wishes\nMads",
        "That was quick. Thank you!",
        minutes_ago=16,
        channel="Email",
        language="en",
        subject="Wrong size",
        queue="Returns",
    )
    add(
        Person("Søren Kjær", "soeren@example.com"),
        "Hej! Hvornår lander min pakke? Trackingen har stået stille siden mandag.",
        "Hej Søren. Den ligger på posthuset i Odense og kommer ud i morgen mellem 8 og 12.",
        "Perfekt, så er jeg hjemme. Tak for hjælpen 🙌",
        minutes_ago=34,
        channel="WidgetChat",
        language="da",
        queue="Chat",
        agent=aisha,
    )
    add(
        Person("Lukas Brandt", phone="+4915112345678"),
        "Guten Tag, ist das Zelt „Skagen 3“ auch in Grün lieferbar?",
        "Guten Tag Herr Brandt! Ja, ab Donnerstag wieder. Soll ich Ihnen eines reservieren?",
        "Ja bitte, sehr gern.",
        minutes_ago=29,
        channel="WhatsApp",
        queue="Chat",
    )
    add(
        Person("Amélie Fournier", "amelie@example.com"),
        "Bonjour, ma facture de mars ne mentionne pas le numéro de TVA. Pouvez-vous m'en envoyer une corrigée ?",
        "Bonjour Madame Fournier, c'est fait : la facture corrigée est jointe. Toutes nos excuses pour cet oubli.",
        minutes_ago=120,
        channel="ContactForm",
        language="fr",
        subject="Facture sans TVA",
        queue="Billing",
        agent=camille,
    )
    add(
        Person("ليلى حداد", "layla@example.com"),
        "مرحبًا، هل يمكنني تغيير عنوان التوصيل بعد الطلب؟",
        "أهلًا ليلى، نعم. غيّرنا العنوان، وسيصلك الطلب يوم الأحد.",
        "شكرًا جزيلًا!",
        minutes_ago=18,
        channel="Messenger",
        language="ar",
        queue="Chat",
        agent=aisha,
    )
    add(
        Person("佐藤 美咲", "misaki@example.com"),
        "お世話になっております。購入した登山靴の靴ひもだけを注文することはできますか。",
        "佐藤様\n\nお問い合わせありがとうございます。替えの靴ひもを無料でお送りいたします。明日発送の予定です。",
        minutes_ago=240,
        channel="Email",
        language="ja",
        subject="靴ひもについて",
        agent=camille,
    )
    add(
        Person("Oliver Grant", phone="+447700900123"),
        "Is the shop in Bristol open this Sunday?",
        "Hi Oliver, yes: 10 to 4. See you there!",
        minutes_ago=24,
        channel="Sms",
        agent=aisha,
    )
    add(
        Person("Freja Lindqvist", "freja@example.com", "+46701234567"),
        "Phone call, 4 minutes: asked whether a repair of a zip is covered by the warranty. It is.",
        minutes_ago=75,
        channel="PstnPhone",
    )
    add(
        Person("Tom Becker", "tom@example.com"),
        "Hello, does the Dovre stove work with the old gas cartridges too?",
        minutes_ago=205,
        channel="Email",
        language="en",
        subject="Dovre stove",
        agent=False,
    )
    add(
        Person("Nora Vik", "nora@example.com"),
        "Hi Nora,\n\nYour backpack from the workshop is ready, with a new buckle. It ships today.\n\nAisha",
        "Wonderful, thanks for letting me know!",
        minutes_ago=190,
        channel="Email",
        language="en",
        subject="Your repair is ready",
        queue="Workshop",
        direction="Outbound",
        agent=aisha,
    )
    add(
        Person("Press dixa, Aften", "dixa@example.com"),
        "Hello, could you send us the autumn catalogue as a PDF?",
        "Hello, here it is. All pictures are free to use until November.",
        minutes_ago=300,
        channel="Email",
        language="en",
        subject="Catalogue",
        tags=("press", "no-survey"),
        agent=camille,
    )


def _add(state: State, requester: Person, *thread: str, minutes_ago: int, **facts: Any) -> None:
    """Add a conversation with a thread. Its messages alternate, beginning with the customer unless it is outbound."""
    began = now() - timedelta(minutes=minutes_ago)
    conversation = state.make_conversation(requester=requester, created_at=began, **facts)
    agent = conversation.agent or state.agents[0]
    for position, text in enumerate(thread):
        is_ours = (position % 2 == 0) == (conversation.direction == "Outbound")
        author, direction = (agent, "Outbound") if is_ours else (requester, "Inbound")
        at = began + timedelta(minutes=position * minutes_ago / 8)
        conversation.messages.append(Message(author.id, text, direction, created_at=at))
