"""A no in an answer, in four languages and under the quotes of many programs: who says it is off, nobody else is."""

import pytest

from nurture.inbound.leaving import wants_out
from nurture.inbound.quotes import new_text

NOES = (
    "stop",
    "Please remove me",
    "abmelden",
    "Bitte abmelden!",
    "désabonner",
    "désabonnez-moi",
    "me désinscrire svp",
    "baja",
    "dar de baja",
    "Quiero darme de baja",
    "Nehmen Sie mich bitte aus dem Verteiler",
    "Bitte keine weiteren E-Mails",
    "Ich möchte keine E-Mails mehr erhalten.",
    "Ich will nichts mehr von Ihnen hören",
    "Bitte löschen Sie meine Daten",
    "Bitte streichen Sie mich von der Liste",
    "Kein Interesse, bitte austragen",
    "Bitte nicht mehr anschreiben",
    "Newsletter abbestellen",
    "Ich widerspreche der Nutzung meiner Daten zu Werbezwecken",
    "Hiermit widerrufe ich meine Einwilligung.",
    "Unterlassen Sie bitte weitere Zusendungen",
    "Hören Sie auf, mir zu schreiben",
    "bitte um Abmeldung",
    "Bitte entfernen",
    "Keine Mails mehr bitte",
    "Ne m'écrivez plus",
    "Merci de ne plus m'envoyer de mails",
    "Je ne souhaite plus recevoir vos e-mails",
    "Veuillez me retirer de votre liste",
    "Arrêtez de m'écrire",
    "stop svp",
    "Retirez-moi de la liste",
    "désinscription",
    "Supprimez mon adresse de vos fichiers",
    "je me désabonne",
    "plus de mails svp",
    "Je m'oppose à l'utilisation de mes données",
    "Laissez-moi tranquille",
    "Je retire mon consentement",
    "Je ne veux plus rien recevoir de vous",
    "Merci de me désinscrire",
    "Cessez de m'envoyer des messages",
    "No quiero recibir más correos",
    "Por favor, bórrenme de su lista",
    "Elimíneme de la lista",
    "No me escriban más",
    "Dejen de enviarme correos",
    "Cancelar suscripción",
    "Darse de baja",
    "Denme de baja por favor",
    "No más correos",
    "quítenme de su lista",
    "Retiro mi consentimiento",
    "Me opongo al tratamiento de mis datos",
    "No deseo recibir más información",
    "basta ya",
    "ya no quiero sus correos",
    "Desuscribirme",
    "desuscribir",
    "STOP STOP STOP",
    "Take me off this list",
    "I no longer wish to receive these",
    "I withdraw my consent",
    "I object to the use of my data for marketing",
    "Unsubscribe me please",
    "unsubcribe",
    "unsubscibe",
    "Un-subscribe",
    "please un subscribe me",
    "I'd like to be removed from your list",
    "I asked to be taken off your list twice. Our lawyer will write to you if this goes on, and our provider keeps every mail.",
    "Please get me off this list.",
    "Do not email",
    "Please cease all communication.",
    "Kein Interesse, bitte löschen",
    "Ich bitte um Löschung meiner Daten.",
    "Bitte um Löschung",
    "Ich möchte den Newsletter kündigen",
    "Newsletter kündigen",
    "proszę o wypisanie z listy",
    "odhlásit",
    "leiratkozás",
    "отпишите меня",
    "退订",
)

#: Answers from people who want to hear more, with the same words in them.
NOT_MEANT = (
    "Danke, das hat unseren Maschinenstillstand gestoppt. Wann können wir reden?",
    "Wie kann ich die Produktion stoppen, wenn ein Teil fehlt?",
    "Können wir am Dienstag bei Ihnen vorbeikommen? Der Bus hält an der Haltestelle.",
    "Ich melde mich nächste Woche bei Ihnen.",
    "Merci, pouvons-nous en parler mardi ? Nous avons dû arrêter la ligne deux fois.",
    "Je vous recontacte plus tard.",
    "Gracias, ¿podemos hablar el martes? La producción bajó un 20 %.",
    "La planta baja es donde está la línea.",
    "¿Cuándo podemos hablar?",
    "Please don't remove me from the list!",
    "Please do not un-subscribe me",
    "I never asked to be removed. Who did that? I like your letter and would be glad to hear from you again soon.",
    "Bitte kündigen Sie Ihren Besuch bei uns an, dann haben wir Zeit für Sie.",
    "You can get me off the phone any time before noon, call me on Friday.",
    "Can the guard be removed from the machine?",
    "I don't want to be removed from your list.",
    "We would love to be taken off the waiting list and to see the machine.",
    "Do not contact our dealers, contact me instead, I decide about the machine.",
    "We want to stop the downtime. Tell me more.",
    "Bitte melden Sie mich für die Vorführung an.",
    "Please send me more information",
    "Ja, zeigen Sie mir eine Vorführung",
    "Nächste Woche bin ich abgemeldet im Urlaub, danach gern.",
    "Estoy de baja médica hasta el lunes, hablamos luego.",
    "Je suis en arrêt maladie jusqu'à lundi, on en parle après.",
    "Wir haben eine Abmeldung von zwei Mitarbeitern für das Seminar, der Rest kommt. Wann beginnt es genau und wo treffen wir uns? Danke für Ihre Hilfe und bis bald.",
    "What is your return policy? I do not want to lose my data.",
    "Sí, quiero ver una demostración",
    "Oui, montrez-moi une démonstration",
)

#: What stands below a mail of ours, and holds every word of leaving.
FOOTER = "Unsubscribe · abmelden · se désabonner · darse de baja · stop e-mailing me"

QUOTES = {
    "angle brackets": "> Hello Ana,\n> {footer}\n",
    "bars": "| Hello Ana,\n| {footer}\n",
    "Gmail": "On Tue, 10 Mar 2026 at 10:00, Dana Reed <dana@acme.example> wrote:\n\n> {footer}\n",
    "Gmail without marks": "On Tue, 10 Mar 2026 at 10:00, Dana Reed <dana@acme.example> wrote:\n\n{footer}\n",
    "Gmail of old": "2026-03-10 10:00 GMT+01:00 Dana Reed <dana@acme.example>:\n\n{footer}\n",
    "German": "Am Di., 10. März 2026 um 10:00 Uhr schrieb Dana Reed <dana@acme.example>:\n\n{footer}\n",
    "French": "Le mar. 10 mars 2026 à 10:00, Dana Reed <dana@acme.example> a écrit :\n\n{footer}\n",
    "Spanish": "El mar, 10 mar 2026 a las 10:00, Dana Reed (<dana@acme.example>) escribió:\n\n{footer}\n",
    "Outlook": "From: Dana Reed <dana@acme.example>\nSent: Tuesday, 10 March 2026 10:00\nTo: Ana\nSubject: Report\n\n{footer}\n",
    "Outlook in German": "Von: Dana Reed <dana@acme.example>\nGesendet: Dienstag, 10. März 2026 10:00\nAn: Ana\nBetreff: Bericht\n\n{footer}\n",
    "Outlook in French": "De : Dana Reed <dana@acme.example>\nEnvoyé : mardi 10 mars 2026 10:00\nÀ : Ana\nObjet : Rapport\n\n{footer}\n",
    "Outlook in Spanish": "De: Dana Reed <dana@acme.example>\nEnviado: martes, 10 de marzo de 2026 10:00\nPara: Ana\nAsunto: Informe\n\n{footer}\n",
    "a line above": "-----Original Message-----\nDana Reed\n\n{footer}\n",
    "Zoho": "---- On Tue, 10 Mar 2026 10:00:00 +0100 Dana Reed <dana@acme.example> wrote ----\n\n{footer}\n",
    "Apple, wrapped": "On 10. Mar 2026, at 10:00, Dana Reed\n<dana@acme.example> wrote:\n\n> {footer}\n",
}


@pytest.mark.parametrize("text", NOES)
def test_who_says_no_is_understood(text: str) -> None:
    assert wants_out(text)


@pytest.mark.parametrize("text", NOT_MEANT)
def test_who_means_something_else_is_not_taken_off(text: str) -> None:
    assert not wants_out(text)


@pytest.mark.parametrize("quote", QUOTES.values(), ids=list(QUOTES))
def test_the_words_of_our_own_footer_say_nothing(quote: str) -> None:
    text = f"Thank you, could we talk on Tuesday?\n\n{quote.format(footer=FOOTER)}"
    assert new_text(text) == "Thank you, could we talk on Tuesday?"
    assert not wants_out(new_text(text))


@pytest.mark.parametrize("quote", QUOTES.values(), ids=list(QUOTES))
def test_a_no_above_the_quote_is_heard(quote: str) -> None:
    for no in ("stop", "abmelden", "désabonner", "baja"):
        assert wants_out(new_text(f"{no}\n\n{quote.format(footer='Hello Ana, here is the report.')}"))
