"""A small CDSL, as programs that read the real one describe it: Latin-1, commas, zeros, paths of four columns."""

from pathlib import Path

from tests.sources import Expected, chest

IMAGES = [
    ("1", "p1", "11", "111", "1001", "DX", "AP", "2020-04-02"),
    ("1", "p1", "11", "112", "1002", "CR", "PA", "2020-04-05"),
    ("2", "p2", "21", "211", "2001", "CT", "", "2020-04-07"),
    ("2", "p2", "21", "211", "2002", "CT", "", "2020-04-07"),
    ("3", "p3", "31", "311", "3001", "DX", "LL", "2020-05-01"),
]
FILES = {
    "patient_01.csv": """\
patient_id,age,sex,admission_date_emerg,time_admission_emerg,department_emerg,diag_emerg,destin_emerg,\
time_constant_first_emerg,bp_max_first_emerg,bp_min_first_emerg,temp_first_emerg,hr_first_emerg,sat_02_first_emerg,\
glu_first_emerg,time_constant_last_emerg,bp_max_last_emerg,bp_min_last_emerg,temp_last_emerg,hr_last_emerg,\
sat_02_last_emerg,glu_last_emerg,admission_d_inpat,diag_inpat,ant_admission_date_in,ant_diag_inpat,icu_date_in,\
icu_date_out,icu_days,icu_n_ing,mechvent,discharge_date,destin_discharge
1,63,MALE,2020-04-01,10:20,Pediatría,DIFICULTAD RESPIRATORIA,HOSP,10:30,120,70,"38,2",98,91,0,12:00,118,70,"37,9",90,93,0,\
2020-04-01,COVID19 - POSITIVO,,,2020-04-03,2020-04-09,6,1,SI,2020-04-20,Home
2,71,FEMALE,2020-04-06,09:00,Medicina Interna,FIEBRE,HOSP,09:10,0,0,0,0,0,0,,,,,,,,2020-04-06,COVID19 - PENDIENTE,,,N.A.,N.A.,\
0,0,N.A.,2020-04-30,Death
3,58,MALE,,,,,,,,,,,,,,,,,,,,2020-04-30,,,,,,,,,2020-05-09,Alta Voluntaria
""",
    "diagnosis_er_02.csv": "patient_id,dia_ppal,dia_02,proc_01\n1,J12.89,B97.29,\n2,R50.9,,BW03ZZZ\n",
    "diagnosis_hosp_03.csv": "patient_id,dia_ppal,poad_ppal,dia_02,poad_02,proc_01\n1,J12.89,S,B97.29,S,\n2,U07.1,S,,,\n",
    "vital_signs_04.csv": """\
vital_sign_id,patient_id,constants_ing_date,constants_ing_time,bp_max_ing,bp_min_ing,temp_ing,hr_ing,sat_02_ing,glu_ing
1,1,2020-04-02 00:00:00,08:00,121,72,"36,8",80,94,0
2,1,2020-04-02 00:00:00,20:00,0,0,0,0,95,
""",
    "medication_05.csv": """\
medication_id,patient_id,drug_start_date,drug_end_date,drug_comercial_name,daily_avrg_dose,id_atc5,id_atc7
1,1,2020-04-02,2020-04-05,"DOLQUINE 200 MG, COMP",400,P01BA,P01BA02
2,2,2020-04-06,,PARACETAMOL,1,N02BE,N02BE01
""",
    "lab_06.csv": """\
lab_id,patient_id,lab_number,lab_date,time_lab,item_lab,val_result,result_text,ud_result,ref_values
1,1,U123,2020-04-01,10:45,PCR - PROTEINA C REACTIVA,"112,5",,mg/L,[0 - 5]
2,1,45,2020-04-02,07:00,COVID19,POSITIVO,,,
""",
    "atc5.csv": "id_atc5,name\nP01BA,Aminoquinolinas\n",
    "atc7.csv": "id_atc7,name\nP01BA02,Hidroxicloroquina\n",
    "icd10_codes_dict.txt": "J12.89 Other viral pneumonia\n",
    "CDSL-1.0.0-dicom-metadata.csv": "\n".join(
        [
            "patient_id,patient_group_folder_id,patient_folder_id,study_id,image_id,Modality,BodyPart,ViewPosition,"
            "StudyDate,StudyTime",
            *(
                f"{patient},{group},{folder},{study},{image},{modality},CHEST,{view},{day},10:00"
                for patient, group, folder, study, image, modality, view, day in IMAGES
            ),
            "",
        ]
    ),
}


def write_unpacked(folder: Path) -> None:
    """Write the folder as PhysioNet gives it, without what is above it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in FILES.items():
        (folder / path).write_text(text, encoding="latin-1", newline="")
    for number, (_, group, patient, study, image, modality, *_) in enumerate(IMAGES):
        place = folder / "IMAGES" / group / patient / study / f"{image}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(chest(90 + number, modality="CT" if modality == "CT" else "CXR", kind="JPEG"))


EXPECTED = {
    "IMAGES/p1/11/111/1001.jpg": Expected("p1/11/111/1001.jpg", "1", None, "train"),
    "IMAGES/p2/21/211/2001.jpg": Expected("p2/21/211/2001.jpg", "2", None, "validation"),
    "IMAGES/p3/31/311/3001.jpg": Expected("p3/31/311/3001.jpg", "3", None, "test"),
}
write = write_unpacked
