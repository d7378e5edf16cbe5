"""Countries by ISO 3166 code (two or three letters) or name: English, German, the country's own. Pure.

Names that two countries claim ("Congo", "Korea") name neither: on the country hangs which law protects a person, so it
is never guessed.
"""

from functools import lru_cache

from nurture.contacts.cells import fold

#: Two letters, three letters, names. Whoever adds a name adds it behind the others.
_TABLE = """
AD AND Andorra; AE ARE United Arab Emirates|UAE|Vereinigte Arabische Emirate|VAE|الإمارات; AF AFG Afghanistan;
AG ATG Antigua and Barbuda|Antigua und Barbuda|Antigua & Barbuda; AI AIA Anguilla; AL ALB Albania|Albanien|Shqipëria;
AM ARM Armenia|Armenien|Հայաստան; AO AGO Angola; AQ ATA Antarctica|Antarktis; AR ARG Argentina|Argentinien;
AS ASM American Samoa|Samoa (American)|Amerikanisch-Samoa; AT AUT Austria|Österreich|Oesterreich|Autriche; AU AUS Australia|Australien;
AW ABW Aruba; AX ALA Åland Islands|Åland|Ålandinseln; AZ AZE Azerbaijan|Aserbaidschan|Azərbaycan;
BA BIH Bosnia and Herzegovina|Bosnia & Herzegovina|Bosnia|Bosnien und Herzegowina|Bosnien|Bosna i Hercegovina;
BB BRB Barbados; BD BGD Bangladesh|Bangladesch|বাংলাদেশ; BE BEL Belgium|Belgien|België|Belgique;
BF BFA Burkina Faso; BG BGR Bulgaria|Bulgarien|България; BH BHR Bahrain|البحرين; BI BDI Burundi; BJ BEN Benin|Bénin;
BL BLM Saint Barthélemy|St Barthélemy|St. Barthelemy; BM BMU Bermuda; BN BRN Brunei|Brunei Darussalam;
BO BOL Bolivia|Bolivien|Plurinational State of Bolivia; BQ BES Caribbean Netherlands|Caribbean NL|Bonaire|Karibische Niederlande;
BR BRA Brazil|Brasilien|Brasil; BS BHS Bahamas|The Bahamas; BT BTN Bhutan; BV BVT Bouvet Island|Bouvetinsel;
BW BWA Botswana|Botsuana; BY BLR Belarus|Weißrussland|Беларусь; BZ BLZ Belize; CA CAN Canada|Kanada;
CC CCK Cocos Islands|Cocos (Keeling) Islands|Kokosinseln;
CD COD Democratic Republic of the Congo|Congo (Dem. Rep.)|DR Congo|DRC|Demokratische Republik Kongo|DR Kongo;
CF CAF Central African Republic|Central African Rep.|Zentralafrikanische Republik|République centrafricaine;
CG COG Republic of the Congo|Congo (Rep.)|Congo-Brazzaville|Republik Kongo; CH CHE Switzerland|Schweiz|Suisse|Svizzera;
CI CIV Côte d'Ivoire|Ivory Coast|Elfenbeinküste; CK COK Cook Islands|Cookinseln; CL CHL Chile; CM CMR Cameroon|Kamerun|Cameroun;
CN CHN China|People's Republic of China|PRC|Volksrepublik China|中国; CO COL Colombia|Kolumbien; CR CRI Costa Rica;
CU CUB Cuba|Kuba; CV CPV Cabo Verde|Cape Verde|Kap Verde; CW CUW Curaçao; CX CXR Christmas Island|Weihnachtsinsel;
CY CYP Cyprus|Zypern|Κύπρος|Kıbrıs; CZ CZE Czechia|Czech Republic|Tschechien|Tschechische Republik|Česko|Česká republika;
DE DEU Germany|Federal Republic of Germany|Deutschland|Bundesrepublik Deutschland|BRD|Allemagne|Alemania;
DJ DJI Djibouti|Dschibuti; DK DNK Denmark|Dänemark|Danmark; DM DMA Dominica; DO DOM Dominican Republic|Dominikanische Republik|República Dominicana;
DZ DZA Algeria|Algerien|Algérie|الجزائر; EC ECU Ecuador; EE EST Estonia|Estland|Eesti; EG EGY Egypt|Ägypten|مصر;
EH ESH Western Sahara|Westsahara; ER ERI Eritrea; ES ESP Spain|Spanien|España|Espagne; ET ETH Ethiopia|Äthiopien;
FI FIN Finland|Finnland|Suomi; FJ FJI Fiji|Fidschi; FK FLK Falkland Islands|Falklandinseln; FM FSM Micronesia|Mikronesien|Federated States of Micronesia;
FO FRO Faroe Islands|Färöer|Føroyar; FR FRA France|Frankreich|Francia; GA GAB Gabon|Gabun;
GB GBR United Kingdom|UK|Great Britain|Britain|Britain (UK)|England|Scotland|Wales|Northern Ireland|United Kingdom of Great Britain and Northern Ireland|Vereinigtes Königreich|Großbritannien|Schottland|Nordirland|Royaume-Uni|Reino Unido;
GD GRD Grenada; GE GEO Georgia|Georgien|საქართველო; GF GUF French Guiana|Französisch-Guayana|Guyane; GG GGY Guernsey;
GH GHA Ghana; GI GIB Gibraltar; GL GRL Greenland|Grönland|Kalaallit Nunaat; GM GMB Gambia|The Gambia;
GN GIN Guinea|Guinée; GP GLP Guadeloupe; GQ GNQ Equatorial Guinea|Äquatorialguinea|Guinea Ecuatorial;
GR GRC Greece|Griechenland|Ελλάδα|Hellas|EL; GS SGS South Georgia and the South Sandwich Islands|South Georgia & the South Sandwich Islands|Südgeorgien;
GT GTM Guatemala; GU GUM Guam; GW GNB Guinea-Bissau; GY GUY Guyana;
HK HKG Hong Kong|Hong Kong SAR|Hongkong|香港; HM HMD Heard Island and McDonald Islands|Heard Island & McDonald Islands;
HN HND Honduras; HR HRV Croatia|Kroatien|Hrvatska; HT HTI Haiti|Haïti; HU HUN Hungary|Ungarn|Magyarország;
ID IDN Indonesia|Indonesien; IE IRL Ireland|Republic of Ireland|Irland|Éire; IL ISR Israel|ישראל;
IM IMN Isle of Man; IN IND India|Indien|भारत|Bharat; IO IOT British Indian Ocean Territory;
IQ IRQ Iraq|Irak|العراق; IR IRN Iran|Islamic Republic of Iran|ایران; IS ISL Iceland|Island|Ísland;
IT ITA Italy|Italien|Italia|Italie; JE JEY Jersey; JM JAM Jamaica|Jamaika; JO JOR Jordan|Jordanien|الأردن;
JP JPN Japan|日本|Nippon; KE KEN Kenya|Kenia; KG KGZ Kyrgyzstan|Kirgisistan|Кыргызстан; KH KHM Cambodia|Kambodscha|កម្ពុជា;
KI KIR Kiribati; KM COM Comoros|Komoren|Comores; KN KNA Saint Kitts and Nevis|St Kitts & Nevis|St. Kitts und Nevis;
KP PRK North Korea|Korea (North)|Nordkorea|Democratic People's Republic of Korea;
KR KOR South Korea|Korea (South)|Republic of Korea|Korea, Republic of|Südkorea|대한민국|한국; KW KWT Kuwait|الكويت;
KY CYM Cayman Islands|Kaimaninseln; KZ KAZ Kazakhstan|Kasachstan|Қазақстан; LA LAO Laos|Lao PDR|Lao People's Democratic Republic;
LB LBN Lebanon|Libanon|لبنان; LC LCA Saint Lucia|St Lucia|St. Lucia; LI LIE Liechtenstein; LK LKA Sri Lanka;
LR LBR Liberia; LS LSO Lesotho; LT LTU Lithuania|Litauen|Lietuva; LU LUX Luxembourg|Luxemburg|Lëtzebuerg; LV LVA Latvia|Lettland|Latvija;
LY LBY Libya|Libyen|ليبيا; MA MAR Morocco|Marokko|Maroc|المغرب; MC MCO Monaco; MD MDA Moldova|Republic of Moldova|Moldau|Moldawien;
ME MNE Montenegro|Crna Gora; MF MAF Saint Martin|St Martin (French)|St. Martin; MG MDG Madagascar|Madagaskar;
MH MHL Marshall Islands|Marshallinseln; MK MKD North Macedonia|Macedonia|Nordmazedonien|Mazedonien|Северна Македонија;
ML MLI Mali; MM MMR Myanmar|Burma|Myanmar (Burma)|Birma; MN MNG Mongolia|Mongolei|Монгол; MO MAC Macao|Macau|澳門;
MP MNP Northern Mariana Islands|Nördliche Marianen; MQ MTQ Martinique; MR MRT Mauritania|Mauretanien;
MS MSR Montserrat; MT MLT Malta; MU MUS Mauritius; MV MDV Maldives|Malediven; MW MWI Malawi; MX MEX Mexico|Mexiko|México;
MY MYS Malaysia; MZ MOZ Mozambique|Mosambik|Moçambique; NA NAM Namibia; NC NCL New Caledonia|Neukaledonien|Nouvelle-Calédonie;
NE NER Niger; NF NFK Norfolk Island|Norfolkinsel; NG NGA Nigeria; NI NIC Nicaragua;
NL NLD Netherlands|The Netherlands|Holland|Niederlande|Nederland|Pays-Bas|Países Bajos; NO NOR Norway|Norwegen|Norge|Noreg;
NP NPL Nepal|नेपाल; NR NRU Nauru; NU NIU Niue; NZ NZL New Zealand|Neuseeland|Aotearoa; OM OMN Oman|عمان;
PA PAN Panama|Panamá; PE PER Peru|Perú; PF PYF French Polynesia|Französisch-Polynesien|Polynésie française;
PG PNG Papua New Guinea|Papua-Neuguinea; PH PHL Philippines|Philippinen|Pilipinas; PK PAK Pakistan|پاکستان;
PL POL Poland|Polen|Polska|Pologne|Polonia; PM SPM Saint Pierre and Miquelon|St Pierre & Miquelon; PN PCN Pitcairn|Pitcairninseln;
PR PRI Puerto Rico; PS PSE Palestine|State of Palestine|Palästina|فلسطين; PT PRT Portugal; PW PLW Palau; PY PRY Paraguay;
QA QAT Qatar|Katar|قطر; RE REU Réunion; RO ROU Romania|Rumänien|România;
RS SRB Serbia|Serbien|Србија|Srbija; RU RUS Russia|Russian Federation|Russland|Russische Föderation|Россия; RW RWA Rwanda|Ruanda;
SA SAU Saudi Arabia|Kingdom of Saudi Arabia|KSA|Saudi-Arabien|السعودية; SB SLB Solomon Islands|Salomonen;
SC SYC Seychelles|Seychellen; SD SDN Sudan|السودان; SE SWE Sweden|Schweden|Sverige; SG SGP Singapore|Singapur|新加坡;
SH SHN Saint Helena|St Helena|St. Helena; SI SVN Slovenia|Slowenien|Slovenija; SJ SJM Svalbard and Jan Mayen|Svalbard & Jan Mayen|Spitzbergen;
SK SVK Slovakia|Slovak Republic|Slowakei|Slovensko; SL SLE Sierra Leone; SM SMR San Marino; SN SEN Senegal|Sénégal;
SO SOM Somalia|Soomaaliya; SR SUR Suriname; SS SSD South Sudan|Südsudan; ST STP Sao Tome and Principe|Sao Tome & Principe|São Tomé e Príncipe|São Tomé und Príncipe;
SV SLV El Salvador; SX SXM Sint Maarten|St Maarten (Dutch); SY SYR Syria|Syrian Arab Republic|Syrien|سوريا;
SZ SWZ Eswatini|Swaziland|Eswatini (Swaziland)|Swasiland; TC TCA Turks and Caicos Islands|Turks & Caicos Is|Turks- und Caicosinseln;
TD TCD Chad|Tschad|Tchad; TF ATF French Southern Territories|French S. Terr.; TG TGO Togo; TH THA Thailand|ไทย;
TJ TJK Tajikistan|Tadschikistan|Тоҷикистон; TK TKL Tokelau; TL TLS East Timor|Timor-Leste|Osttimor; TM TKM Turkmenistan;
TN TUN Tunisia|Tunesien|Tunisie|تونس; TO TON Tonga; TR TUR Turkey|Türkiye|Türkei|Turquie|Turquía;
TT TTO Trinidad and Tobago|Trinidad & Tobago|Trinidad und Tobago; TV TUV Tuvalu; TW TWN Taiwan|台灣|臺灣;
TZ TZA Tanzania|United Republic of Tanzania|Tansania; UA UKR Ukraine|Україна; UG UGA Uganda;
UM UMI US Minor Outlying Islands|US minor outlying islands; US USA United States|United States of America|America (USA)|Vereinigte Staaten|Vereinigte Staaten von Amerika|États-Unis|Estados Unidos;
UY URY Uruguay; UZ UZB Uzbekistan|Usbekistan|Oʻzbekiston; VA VAT Vatican City|Holy See|Vatikan|Vatikanstadt;
VC VCT Saint Vincent and the Grenadines|St Vincent|St. Vincent und die Grenadinen; VE VEN Venezuela|Bolivarian Republic of Venezuela;
VG VGB British Virgin Islands|Virgin Islands (UK)|Britische Jungferninseln; VI VIR US Virgin Islands|Virgin Islands (US)|Amerikanische Jungferninseln;
VN VNM Vietnam|Viet Nam|Việt Nam; VU VUT Vanuatu; WF WLF Wallis and Futuna|Wallis & Futuna; WS WSM Samoa|Samoa (western);
YE YEM Yemen|Jemen|اليمن; YT MYT Mayotte; ZA ZAF South Africa|Südafrika; ZM ZMB Zambia|Sambia; ZW ZWE Zimbabwe|Simbabwe
"""


def _read_table() -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in _TABLE.replace("\n", " ").split(";"):
        two, three, names = entry.strip().split(" ", 2)
        for name in (two, three, *names.split("|")):
            found[fold(name)] = two
    return found


_BY_WORD = _read_table()
CODES = frozenset(_BY_WORD.values())


@lru_cache(maxsize=1024)
def find_country(text: str) -> str | None:
    """The two-letter code in upper case; None when no country is called so."""
    return _BY_WORD.get(fold(text))
